"""From a bundle and a customer's events to a score, the same for every door."""
