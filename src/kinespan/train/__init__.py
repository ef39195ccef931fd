"""Training: pretraining, finetuning, learning with pseudo-labels, and recognition on a frozen encoder."""
