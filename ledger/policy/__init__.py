"""What policies permit: documents, matching, conditions, and evaluation that tells every statement that mattered."""
