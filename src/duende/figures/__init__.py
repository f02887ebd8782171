"""Figures for papers: arrays in, a matplotlib figure out, in one style and in files that are the same every time."""
