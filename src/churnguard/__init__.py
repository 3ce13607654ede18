"""ChurnGuard sees in time which customers of an online shop are drifting away."""

__version__ = "0.1.0"
