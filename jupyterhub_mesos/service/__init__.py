"""The capacity service: one ledger, one queue, one API."""
