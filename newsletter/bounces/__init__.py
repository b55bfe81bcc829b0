"""Mail that comes back to us: what each message means."""
