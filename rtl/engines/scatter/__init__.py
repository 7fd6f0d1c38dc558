"""Event-driven: every event adds rows of weights to stored membranes, and every step ends with a sweep over them."""
