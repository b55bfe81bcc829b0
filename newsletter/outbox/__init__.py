"""Durable sending: every message is a row, and every row ends in a state that somebody can see."""
