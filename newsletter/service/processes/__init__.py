"""The processes of the service: starting, watching and stopping them."""
