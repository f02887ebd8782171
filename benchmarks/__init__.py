"""Where every claim about speed and memory comes from: ``python -m benchmarks``."""
