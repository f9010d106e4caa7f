"""Telling the owner what happens: events, the ways they go, and what watches for them."""
