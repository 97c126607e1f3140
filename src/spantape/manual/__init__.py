"""Calls that no instrumentor sees, told by hand; and what is learned of any call after it has ended."""
