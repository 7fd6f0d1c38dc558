"""The first layer after pixels: gathers each neuron's current once, and takes all its steps there and then."""
