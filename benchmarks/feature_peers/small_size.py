"""Beside Featuretools: the columns that it has, on a size that it can manage."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from feature_peers.side_by_side import side_by_side


def small_size(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Return both sides' times; ours has all 60 columns, Featuretools those that are compared."""
    sides = {"sides": "ours,featuretools", "parquet": False, "late": 0.0}
    return side_by_side(argparse.Namespace(**(vars(options) | sides)), work)
