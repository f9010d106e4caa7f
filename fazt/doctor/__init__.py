"""Looks at the machine that a server runs on, and says what is wrong and how to put it right."""
