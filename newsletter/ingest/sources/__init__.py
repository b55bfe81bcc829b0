"""Sources: their rows, the results of fetches, when the next fetch is due, and their health."""
