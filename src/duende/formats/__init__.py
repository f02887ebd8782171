"""Reading and writing motion."""
