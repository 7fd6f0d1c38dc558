"""The hardware, in Amaranth: one unit per file, built from the plan; knows nothing of torch."""
