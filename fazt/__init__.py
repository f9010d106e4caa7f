"""Fazt: one person's cloud in one process and one SQLite file."""

__version__ = "0.1.0"
