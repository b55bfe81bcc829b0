"""Running the service on one machine: its processes, its life signs and its demo."""
