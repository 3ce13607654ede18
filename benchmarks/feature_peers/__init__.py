"""The same 60 columns by ChurnGuard and by hand: what ``benchmarks/features.py`` compares."""
