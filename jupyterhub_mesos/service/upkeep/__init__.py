"""What is done to a ledger as a whole, beside the service: backup, restore, upgrade."""
