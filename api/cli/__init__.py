"""The command `iam-ledger`: what people type, and what scripts read."""
