"""The build folder: its manifest, its report, and who may change what in it."""
