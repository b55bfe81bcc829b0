"""Incoming mail: unsubscribe emails, requests for a link, and reports about emails that came back."""
