"""How a database gets from one schema to the next; run by :mod:`churnguard.store.database`."""
