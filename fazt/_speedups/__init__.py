"""The compiled hot path: scan a plain request, find its page in memory, write the answer."""
