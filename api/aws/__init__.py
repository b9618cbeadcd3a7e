"""AWS's own protocols: what the unmodified aws CLI and boto3 speak. `door` is where they come in."""
