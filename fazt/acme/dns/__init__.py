"""Who writes DNS records for us: one module a provider, each a `Writer`. Blocking: for the threads of orders."""
