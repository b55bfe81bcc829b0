"""Mailboxes that reports come to: conversations by IMAP and POP3, and how far each was read."""
