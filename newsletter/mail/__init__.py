"""Make messages: addresses, headers, templates, MIME bodies, DKIM. It imports no tables and no sockets."""
