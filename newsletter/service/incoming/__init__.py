"""Incoming mail: from files, a pipe, a Maildir, or our own SMTP and LMTP server."""
