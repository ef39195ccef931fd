"""What is measured rather than asserted: speed, and the figures of the README."""
