"""Sources: their rows, what a fetch of one comes to, when the next one is due, and their health."""
