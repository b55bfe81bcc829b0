"""What the outbox does while the relay refuses our own settings."""
