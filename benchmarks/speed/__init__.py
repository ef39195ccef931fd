"""How fast each stage is beside the field's usual way, and how its cost grows."""
