"""Subscribers: how a person signs up, confirms, changes choices, unsubscribes and is erased."""
