"""All-to-all synapses: every event touches all words of the target."""
