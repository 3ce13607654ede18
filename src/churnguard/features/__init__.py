"""Facts about a customer at a cutoff: the kernel, the signals and the catalogue."""
