"""duende turns a song into an expressive 3D dance."""

__version__ = "0.1.0"
