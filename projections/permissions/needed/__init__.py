"""Which statements the calls needed, and the least policy that would have done."""
