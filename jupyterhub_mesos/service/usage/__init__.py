"""What was used: worked out of the ledger's rows, whenever somebody asks."""
