"""Standard library only; one noun a file."""
