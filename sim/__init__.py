"""Golden model, performance model and co-simulation, built from the plan; knows nothing of torch."""
