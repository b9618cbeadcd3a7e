"""The account: what the records add up to, as values that never change."""
