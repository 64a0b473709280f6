"""Start a model behind an endpoint, and stop it."""
