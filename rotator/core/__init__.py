"""Decides what is fetched, proven and written; reaches outside only through `core.ports`."""
