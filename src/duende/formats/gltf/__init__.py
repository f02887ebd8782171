"""glTF 2.0: the container, the arrays in it, and the scenes that duende reads and writes."""
