"""Whether what the database holds of a log is what was written: everything derived is derived again and compared."""
