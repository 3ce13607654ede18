"""From a score to an action that is worth its cost."""
