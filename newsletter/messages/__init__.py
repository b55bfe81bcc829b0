"""Every kind of email: digests from stored fragments, single emails, and the message built from them."""
