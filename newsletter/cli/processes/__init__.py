"""Commands that start the processes of the service."""
