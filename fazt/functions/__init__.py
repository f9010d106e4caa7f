"""JavaScript functions of sites: compiled at deploy, run in processes of their own, answered over ASGI."""
