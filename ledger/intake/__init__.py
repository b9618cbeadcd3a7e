"""Reads what others wrote: CloudTrail logs in whatever form they come, and snapshots of an account."""
