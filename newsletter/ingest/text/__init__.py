"""Text of unknown origin: its encoding and its language."""
