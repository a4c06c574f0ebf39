"""The fronts' way to the engine: a client of one engine, and what finds or starts it."""
