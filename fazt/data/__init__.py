"""The platform's data of a site: what functions, and later apps, keep and share."""
