"""What is measured rather than asserted: `speed`, and accuracy by `study`; `results` holds the stored rows of both."""
