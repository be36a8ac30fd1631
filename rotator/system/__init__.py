"""What this machine gives: files, locks, threads."""
