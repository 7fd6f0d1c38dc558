"""Convolutions whose words gather spikes: each word of the target reads the spike words below its kernel."""
