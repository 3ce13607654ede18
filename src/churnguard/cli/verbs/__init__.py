"""One file a verb; each imports what it needs when it runs."""
