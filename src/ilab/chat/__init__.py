"""A conversation, without a terminal."""
