"""Reading mailboxes by IMAP and POP3, and doing what their messages ask for."""
