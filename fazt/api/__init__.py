"""The admin HTTP API, one module a resource, and what every site has under /_fazt/."""
