"""Who visits: page views and what is said about them, without cookies, scripts or anything kept about a person."""
