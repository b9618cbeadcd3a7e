"""The Merkle tree over a log's leaves, and what can be proved with it: pure functions. Source: RFC 6962, 2.1."""
