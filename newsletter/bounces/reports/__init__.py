"""Receive reports: find the delivery that each is about, decide, record, and act."""
