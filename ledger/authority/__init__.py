"""The one door for live calls: authenticate, authorize, decide, append."""
