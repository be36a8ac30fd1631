"""Our own HTTP: every request that no SDK makes for us, and what every upstream's answer means."""
