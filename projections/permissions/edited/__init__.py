"""What would have become of the calls in a history without some entries, or with others."""
