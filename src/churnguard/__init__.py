"""ChurnGuard sees in time which customers of an online shop are drifting away.

The names below are the Python door; each is imported when it is first used.

>>> import churnguard
>>> churnguard.__version__
'0.1.0'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churnguard.bootstrap import open_shop as open_shop
    from churnguard.jobs.build import build as build
    from churnguard.jobs.explain import explain as explain
    from churnguard.jobs.ingest import ingest as ingest
    from churnguard.jobs.promote import promote as promote
    from churnguard.jobs.score import score_everybody as score_everybody
    from churnguard.project.template import create_project as create_project
    from churnguard.tables.doors import score as score
    from churnguard.tables.doors import train as train
    from churnguard.tables.models import backtest as backtest
    from churnguard.tables.rows import build_features as build_features
    from churnguard.tables.rows import label as label
    from churnguard.training.estimator import ChurnClassifier as ChurnClassifier
    from churnguard.training.recipe import Recipe as Recipe

__version__ = "0.1.0"

_HOMES = {
    "ChurnClassifier": "churnguard.training.estimator",
    "Recipe": "churnguard.training.recipe",
    "backtest": "churnguard.tables.models",
    "build": "churnguard.jobs.build",
    "build_features": "churnguard.tables.rows",
    "create_project": "churnguard.project.template",
    "explain": "churnguard.jobs.explain",
    "ingest": "churnguard.jobs.ingest",
    "label": "churnguard.tables.rows",
    "open_shop": "churnguard.bootstrap",
    "promote": "churnguard.jobs.promote",
    "score": "churnguard.tables.doors",
    "score_everybody": "churnguard.jobs.score",
    "train": "churnguard.tables.doors",
}

__all__ = [  # noqa: PLE0604 (the names of _HOMES are strings)
    "__version__",
    *sorted(_HOMES),
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'churnguard' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
