"""What a recorded call asked of IAM: which actions, on which resources, in which context; and what AWS said of it."""
