"""Backups: one file that holds everything, proven by being opened, checked and served from."""
