"""Prepare issues and send them, for the Celery tasks and for `newsletter worker --drain`."""
