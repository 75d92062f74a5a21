"""Reads a bucket of chatkeep with nothing but its recovery key; written from docs/format.md alone."""
