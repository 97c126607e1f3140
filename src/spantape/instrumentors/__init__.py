"""Client libraries, one folder each: how their calls become spans."""
