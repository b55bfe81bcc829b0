"""Drain the outbox: claim, send and record, one thread for each relay."""
