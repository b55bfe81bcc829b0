"""The demo: sample data, a mail catcher, and the check that plays a subscriber."""
