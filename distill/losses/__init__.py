"""Distillation losses: one file per method, with its formula and its paper."""
