"""Convolutions of an image, which an engine gathers word by word instead of walking its pixels."""
