"""One file a step, named by its number; a published step is never changed."""
