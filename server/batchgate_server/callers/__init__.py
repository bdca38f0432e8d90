"""Who calls: how a caller is known, what it may do, and how much."""
