"""Decides what is fetched, proven and written; everything else is reached through `core.ports`."""
