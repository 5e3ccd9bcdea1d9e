"""The web side of the capacity service: HTTP in, operations called, JSON or pages out."""
