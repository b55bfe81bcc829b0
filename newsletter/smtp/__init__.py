"""The SMTP client: sends bytes to a relay and returns Replies. It imports no tables and no message code."""
