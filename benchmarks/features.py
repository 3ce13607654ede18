"""ChurnGuard's signals beside hand-written Polars, DuckDB and pandas: the same numbers, the times.

``python benchmarks/features.py --events 10000000 --customers 200000 --cutoffs 12 --json`` runs
every side in a process of its own from the same in-memory Arrow table and compares all numbers.
``--sweep`` does so over cutoffs and events, with table and plot in ``--out``; see ``--help``.
Needs the dependency group ``bench``.
"""

from __future__ import annotations

from feature_peers.door import main

if __name__ == "__main__":
    main()
