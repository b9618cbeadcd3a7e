"""What others have seen of the logs, and whether the logs still are that. Source: C2SP tlog-witness, tlog-cosignature."""
