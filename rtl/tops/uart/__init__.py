"""The core behind a serial line, for a board: ``docs/link.md``."""
