"""What must be secret, or must be deletable: key material, password hashes, seeds. Encrypted, and never in the log."""
