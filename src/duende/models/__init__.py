"""Networks and their losses: tensors in, tensors out."""
