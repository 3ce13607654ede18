"""How good the scores are on public data: the recipe beside every peer, on past cutoffs.

``python benchmarks/quality.py --all --write`` takes the files in through ChurnGuard's own door,
builds the signals, judges the recipe and all peers at the newest cutoffs, and writes
``docs/quality.md``. ``--dataset NAME`` does one dataset, ``--json`` prints all figures, ``--keep
DIR`` keeps rows and figures for the next run. ``--try NAME`` judges a change of the recipe beside
the recipe itself, and ``--tune N`` what a search of N trials brings. The files are looked for in
``../shared/data`` or ``$CHURNGUARD_DATA``.
"""

from __future__ import annotations

from quality_shops.door import main

if __name__ == "__main__":
    main()
