"""The whole server: builds every part, joins them, runs them. Nothing else knows everything."""
