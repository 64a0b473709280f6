"""Samples become training files."""
