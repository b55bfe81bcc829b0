"""Subscribers: sign-up, confirmation, preferences, unsubscribing, consent and privacy."""
