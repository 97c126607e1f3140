"""Places where interactions go and, where possible, are read from."""
