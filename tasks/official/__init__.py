"""Files in the formats of the data's owners: annotations and predictions, read with checks and scored."""
