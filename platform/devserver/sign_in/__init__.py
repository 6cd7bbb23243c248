"""Identity provider for development: people of the demo sign in by choosing who they are, without a password."""
