"""What each command does once `cli.py` has read its arguments."""
