"""One shop's own decisions: settings, and the rooms features/, training/ and serving/."""
