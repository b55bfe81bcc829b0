"""What all pages share: security, errors, language, time zones, display and health."""
