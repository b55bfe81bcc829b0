"""The consent ledger: its entries, hash chain, signed head, records and wordings."""
