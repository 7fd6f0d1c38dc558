"""Passes: one file each, Graph -> Graph (or Plan), its invariant in the docstring."""
