"""HTTPS: which certificates there are, and which one a connection is shown."""
