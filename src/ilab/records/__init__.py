"""Frozen records that cross room walls."""
