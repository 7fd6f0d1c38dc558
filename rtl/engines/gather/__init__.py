"""Output-stationary convolutions of spikes: each word gathers what its kernel sees, and takes all its steps at once."""
