"""A company that does not exist, and the day on which it was broken into, as AWS would have logged it."""
