"""Pre-training of the embedded backbones on the generated world: image encoder, language, vision and language."""
