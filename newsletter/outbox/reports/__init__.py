"""Reports on the outbox: the progress of an issue, and a list of its deliveries."""
