"""The demo: sample data, the mail catcher, and the self-check that acts as a subscriber."""
