"""When it is done: `docs/timing.md` as an exact model, an estimate without data, and a bound."""
