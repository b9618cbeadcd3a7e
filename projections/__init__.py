"""Answers questions from what the ledger has written down; all of it can be dropped and built again."""
