"""A visitor becomes, changes and stops being a subscriber; every step is proven in the ledger."""
