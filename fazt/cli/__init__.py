"""The `fazt` command, one module a command group."""
