"""AWS's own protocols: what the unmodified aws CLI and boto3 speak."""
