"""With what permission: the statements behind a call, the grants behind a statement, and what else they permit."""
