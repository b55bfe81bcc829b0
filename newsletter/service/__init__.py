"""Running the service on one machine: processes, incoming mail, database, health and checks."""
