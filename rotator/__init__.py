"""Keeps registry credentials in GitLab CI fresh, wherever the job reads them from."""

__version__ = "0.2.0.dev0"
