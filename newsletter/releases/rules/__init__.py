"""The rules that put releases under a topic: what they match, how they are written, and how they change."""
