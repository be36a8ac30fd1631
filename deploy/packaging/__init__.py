"""Builds everything that a release consists of, the same to the byte each time: `make dist`."""
