"""Blender as a separate program: how it is found and run, and the scripts that run inside it."""
