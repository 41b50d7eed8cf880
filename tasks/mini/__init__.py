"""The embedded world: scenes of coloured shapes, drawn and described from a seed. Nothing is downloaded."""
