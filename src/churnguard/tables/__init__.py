"""ChurnGuard on tables of events in memory, pandas or Arrow: no project, no store, no registry."""
