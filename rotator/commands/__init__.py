"""What each command does once its words are understood; with `cli.py`, all that prints."""
