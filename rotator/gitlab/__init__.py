"""What talks to GitLab: calls, errors, the mark of a variable, and our own access token."""
