"""Measurements against what people use instead: `make bench`."""
