"""Mail that comes back to us becomes something to do: today, readers who leave by mail."""
