"""The outbox: enqueue deliveries, lease, send, record and retry them. Each is a row, so none is lost."""
