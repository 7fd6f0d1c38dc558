"""Readers: one file per input format, each giving a Graph."""
