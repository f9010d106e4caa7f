"""What a site is: names, deploys, versions, rules, and how host and path become a page."""
