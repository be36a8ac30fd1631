"""What the Vault source and the Vault KV target share: connection, login, answers and engines."""
