"""Unsubscribing, undoing it, and the reasons that people give."""
