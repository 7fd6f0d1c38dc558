"""Walkers: one file per projection kind, turning one event into a run of weight and membrane words."""
