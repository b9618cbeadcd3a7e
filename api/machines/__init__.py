"""What a machine asks to become a role: the instance metadata of EC2, and the container credentials of ECS."""
