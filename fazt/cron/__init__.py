"""Cron: runs of a site's functions at the times that its `fazt.json` names."""
