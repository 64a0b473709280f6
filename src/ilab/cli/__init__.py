"""Parse, call one function, print; nothing else."""
