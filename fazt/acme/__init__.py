"""Certificates that are ordered and renewed by themselves (ACME, RFC 8555)."""
