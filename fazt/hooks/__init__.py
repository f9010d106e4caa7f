"""Incoming webhooks: signatures, rates, and what is kept of a delivery."""
