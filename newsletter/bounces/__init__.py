"""Incoming mail: read its header and classify it as an unsubscribe, a request, or nothing to do."""
