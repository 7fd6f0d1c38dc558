"""FPGA families: one file each, its numbers and its tool calls."""
