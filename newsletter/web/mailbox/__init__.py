"""The demo's mailbox: pages that show every email that was sent."""
