"""Weights that other projects have published, under our names: tensors in, tensors out."""
