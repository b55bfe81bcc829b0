"""The journals of workers, and the leases that they hold."""
