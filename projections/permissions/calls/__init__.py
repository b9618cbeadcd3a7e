"""With what permission calls were made: each held against the account of its moment, and the grants behind it."""
