"""Knowledge sources become Chunks."""
