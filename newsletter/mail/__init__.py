"""What a message is: addresses, headers, templates and bytes. Knows neither tables nor sockets."""
