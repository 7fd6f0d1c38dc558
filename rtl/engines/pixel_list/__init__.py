"""Dense layers that hear pixels: each word goes through a list of those that are not 0."""
