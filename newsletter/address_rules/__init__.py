"""Rules for domains and patterns of addresses. Sign-up, imports, enqueue and claim ask only this package."""
