"""Real servers for the tests: PostgreSQL, Redis, an SMTP sink and Chromium, on loopback and free ports."""
