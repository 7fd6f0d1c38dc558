"""The core behind MLPerf Tiny's serial commands, for a board: ``docs/mlperf.md``."""
