"""Apache Mesos' scheduler API, version 1: framing, values and the subscription to a master."""
