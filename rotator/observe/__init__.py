"""What people and machines see of a cycle: logs, status, metrics."""
