"""One loop for all stages, checkpoints that resume."""
