"""The faces of iam-ledger: HTTP, the wire formats of AWS, and the command line."""
