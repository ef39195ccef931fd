"""Training: Lightning modules, their callbacks, and the two stages that use them."""
