"""Read settings; only cli and web import it."""
