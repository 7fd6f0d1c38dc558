"""Convolutions of spikes: an event touches the words of the positions that see it through the kernel."""
