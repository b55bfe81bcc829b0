"""What the owner is told, by email."""
