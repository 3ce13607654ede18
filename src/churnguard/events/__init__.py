"""What a shop tells us: the event table, readers, validation, and a simulated shop."""
