"""The proof: shows a credential to its registry and says what the registry thinks of it."""
