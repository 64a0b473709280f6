"""Seeds, Chunks and a teacher become Samples."""
