"""The HTTP door: the API and the desk."""
