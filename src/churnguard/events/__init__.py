"""What a shop tells us: the event table, readers for its files, validation, and a simulated shop."""
