"""One verb per file: what can be done with a shop."""
