"""What a network computes, in NumPy: the golden model, its inputs, and the floats that it came from."""
