"""Reads the configuration and says everything that is wrong with it."""
