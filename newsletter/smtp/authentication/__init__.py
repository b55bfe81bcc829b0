"""Sign in to a relay or a mailbox: by password, or by an OAuth 2 access token."""
