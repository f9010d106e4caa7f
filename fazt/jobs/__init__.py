"""Jobs: work that a site's functions put off, done once, later, whatever happens to the server in between."""
