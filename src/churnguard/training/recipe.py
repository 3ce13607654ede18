"""A recipe: what is learned, from which time, how strongly held back, and what counts as enough.

A recipe is TOML in the project's ``training/``. Every key has a default, an unknown key is refused,
and what a bundle carries is the recipe as it was read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from churnguard.errors import RecipeError


@dataclass(frozen=True)
class CutoffRecipe:
    """Which cutoffs are learned from and judged at.

    Attributes
    ----------
    step_days : int
        Days between two cutoffs that are learned from.
    span_days : int
        How far back the oldest of them may lie from the newest.
    min_history_days : int
        Days of history that a cutoff should have before it; in a young shop two fifths of all
        there are will do.
    least_history_days : int
        Days of history that the newest mature cutoff must have before it.
    backtests, backtest_step_days : int
        How many of the newest mature cutoffs judge the recipe, and how far apart.
    """

    step_days: int = 30
    span_days: int = 730
    min_history_days: int = 150
    least_history_days: int = 60
    backtests: int = 4
    backtest_step_days: int = 30


@dataclass(frozen=True)
class SignalRecipe:
    """Which columns play a special part; columns that a shop does not have are passed over.

    Attributes
    ----------
    without : tuple of str
        Not to be learned from.
    season : tuple of two str
        Sine and cosine of the time of year: they set the level, the learner never sees them.
    calendar : tuple of str
        Further columns that tell only the time of year, withheld from the learner as well.
    start : str
        A churn probability that the learner starts from and corrects; "" for none.
    rising, falling : tuple of str
        Columns in which the risk may only rise, or only fall.
    """

    without: tuple[str, ...] = ()
    season: tuple[str, ...] = ("season_sin", "season_cos")
    calendar: tuple[str, ...] = ("half_season_sin", "half_season_cos")
    start: str = "mbgnbd_churn_risk"
    rising: tuple[str, ...] = ()
    falling: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoostedRecipe:
    """Gradient-boosted trees: many small, slow, averaged ones.

    Attributes
    ----------
    trees, leaves : int
        Trees a seed, and leaves a tree.
    learning_rate, l2 : float
        How far one tree may go, and how strongly its leaves are pulled to 0.
    min_rows : int
        Rows that a leaf needs.
    feature_share, row_share : float
        Shares of columns and rows that a tree may see.
    seeds : int
        Models averaged.
    """

    trees: int = 200
    leaves: int = 4
    learning_rate: float = 0.05
    l2: float = 20.0
    min_rows: int = 100
    feature_share: float = 0.5
    row_share: float = 0.6
    seeds: int = 3


@dataclass(frozen=True)
class LinearRecipe:
    """Logistic regression on standardised, squeezed signals.

    Attributes
    ----------
    strength : float
        Inverse of the pull to 0, as scikit-learn's ``C``.
    columns : tuple of str
        Only these; all when empty.
    """

    strength: float = 0.01
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChoiceRecipe:
    """How the learner is chosen where the kind is ``auto``.

    Attributes
    ----------
    kinds : tuple of str
        Learners to weigh.
    prior_sd : float
        How far weights may stray without evidence from equal say of all learners but trees.
    """

    kinds: tuple[str, ...] = ("rhythm", "btyd", "linear", "boosted")
    prior_sd: float = 0.2


@dataclass(frozen=True)
class CalibrationRecipe:
    """How margins become probabilities.

    Attributes
    ----------
    customer_folds, time_blocks : int
        The grid of the cross-fit: every row gets a margin from a model that saw neither its
        customer nor its time.
    season_sd, season_days : float
        How far the season moves the log-odds, and over how many days it moves.
    drift_sd, drift_days : float
        How far the level wanders from year to year, and how long it remembers.
    cutoff_sd : float
        What single cutoffs scatter besides.
    slope_half_life_days : float
        After how many days a cutoff says half as much about the slope.
    """

    customer_folds: int = 2
    time_blocks: int = 6
    season_sd: float = 0.5
    season_days: float = 40.0
    drift_sd: float = 0.3
    drift_days: float = 365.0
    cutoff_sd: float = 0.08
    slope_half_life_days: float = 90.0


@dataclass(frozen=True)
class IntervalRecipe:
    """How the interval is told.

    Attributes
    ----------
    level : float
        Share of such groups of customers whose churn rate lies inside.
    bins : int
        Bins of cross-fitted margins.
    min_customers : int
        Customers that a bin needs; fewer are never written down.
    """

    level: float = 0.9
    bins: int = 20
    min_customers: int = 20


@dataclass(frozen=True)
class TreatmentRecipe:
    """What is learned from customers who were contacted within the horizon.

    Attributes
    ----------
    mode : str
        ``weight``: they are left out, and those held out stand for them; ``ignore``: they are
        learned from as if nothing had been done.
    largest_weight : float
        No row stands for more.
    few_treated : float
        Up to this share of contacted customers, those not contacted are learned from as well.
    """

    mode: str = "weight"
    largest_weight: float = 20.0
    few_treated: float = 0.2


@dataclass(frozen=True)
class NeedsRecipe:
    """What the data must have before a model is made of them.

    Attributes
    ----------
    customers, churned, stayed : int
        Different customers, and rows of each outcome.
    cutoffs : int
        Mature cutoffs.
    """

    customers: int = 40
    churned: int = 40
    stayed: int = 40
    cutoffs: int = 2


@dataclass(frozen=True)
class GateRecipe:
    """What a challenger must show against the champion.

    Attributes
    ----------
    worse_log_loss : float
        Largest upper bound of (challenger - champion) in log loss that still counts as not worse.
    slope_low, slope_high : float
        Calibration slopes that are let through.
    contacts : int
        N of "of the N you can contact, how many are real".
    min_cutoffs : int
        Fewer than so many: the stated weaker gate and a named approver.
    resamples : int
        Resamples of the paired bootstrap by customer.
    slice_rows : int
        Rows, over all cutoffs, that a slice of customers needs to be judged; others are reported.
    least_error_share : float
        A challenger that ranks with fewer errors (1 - AUC) than this share of the best known
        model's is too good to be true.
    """

    worse_log_loss: float = 0.005
    slope_low: float = 0.85
    slope_high: float = 1.15
    contacts: int = 200
    min_cutoffs: int = 3
    resamples: int = 500
    slice_rows: int = 200
    least_error_share: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """A whole recipe; see the parts.

    Attributes
    ----------
    kind : str
        The learner: a name of ``training.scorers.KINDS``; ``auto`` weighs several by evidence.
    seed : int
        Where all randomness starts.

    Examples
    --------
    >>> Recipe().kind, Recipe().boosted.leaves
    ('auto', 4)
    """

    kind: str = "auto"
    seed: int = 1
    cutoffs: CutoffRecipe = field(default_factory=CutoffRecipe)
    signals: SignalRecipe = field(default_factory=SignalRecipe)
    boosted: BoostedRecipe = field(default_factory=BoostedRecipe)
    linear: LinearRecipe = field(default_factory=LinearRecipe)
    choice: ChoiceRecipe = field(default_factory=ChoiceRecipe)
    calibration: CalibrationRecipe = field(default_factory=CalibrationRecipe)
    interval: IntervalRecipe = field(default_factory=IntervalRecipe)
    treatment: TreatmentRecipe = field(default_factory=TreatmentRecipe)
    needs: NeedsRecipe = field(default_factory=NeedsRecipe)
    gate: GateRecipe = field(default_factory=GateRecipe)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, every default included."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, file: Path | None = None) -> Recipe:
        """Read what :meth:`to_dict` returned, or a TOML file's content.

        Raises
        ------
        RecipeError
            If a key is unknown or a value cannot be used; names both.
        """
        recipe = _read(cls, values, "", file)
        _refuse_out_of_range(recipe, file)
        return recipe


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Parameters
    ----------
    path : Path
        A TOML file.

    Raises
    ------
    RecipeError
        If the file cannot be read, or a key in it cannot be used; names file and key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}.", file=path) from error
    return Recipe.from_dict(values, file=path)


_Part = TypeVar("_Part")


def _read(part: type[_Part], values: Mapping[str, Any], where: str, file: Path | None) -> _Part:
    """Build one dataclass of the recipe from a table, checking every key and type."""
    kinds = get_type_hints(part)
    unknown = sorted(values.keys() - kinds.keys())
    if unknown:
        raise _refusal(f"{where}{unknown[0]}", f"is unknown; there is {', '.join(kinds)}", file)
    found = {
        name: _value(kinds[name], value, f"{where}{name}", file) for name, value in values.items()
    }
    return part(**found)


def _value(kind: Any, value: Any, key: str, file: Path | None) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise _refusal(key, "must be a table", file)
        return _read(kind if isinstance(kind, type) else type(kind), value, f"{key}.", file)
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, numbers):
            word = "a whole number" if kind is int else "a number"
            raise _refusal(key, f"must be {word}, not {value!r}", file)
        return kind(value)
    if kind is str:
        if not isinstance(value, str):
            raise _refusal(key, f"must be text, not {value!r}", file)
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _refusal(key, "must be a list of names", file)
    return tuple(value)


_SHARES = {
    "boosted.feature_share",
    "boosted.row_share",
    "interval.level",
    "treatment.few_treated",
    "gate.least_error_share",
}
_MAY_BE_ZERO = {
    "seed",
    "boosted.l2",
    "calibration.season_sd",
    "calibration.drift_sd",
    "cutoffs.min_history_days",
    "cutoffs.backtests",
    "treatment.few_treated",
    "gate.worse_log_loss",
}
_AT_LEAST = {
    "boosted.leaves": 2,
    "calibration.customer_folds": 2,
    "calibration.time_blocks": 1,
    "interval.bins": 2,
    "interval.min_customers": 20,
    "needs.churned": 10,
    "needs.stayed": 10,
}


def _refuse_out_of_range(recipe: Recipe, file: Path | None) -> None:
    for key, value in _numbers(recipe, ""):
        least = _AT_LEAST.get(key, 0)
        if value < least or (value == 0 and key not in _MAY_BE_ZERO):
            raise _refusal(key, f"must be {f'at least {least}' if least else 'over 0'}", file)
        if key in _SHARES and value > 1:
            raise _refusal(key, "must be a share, at most 1", file)
    if recipe.treatment.mode not in ("weight", "ignore"):
        raise _refusal("treatment.mode", "must be 'weight' or 'ignore'", file)
    if len(recipe.signals.season) not in (0, 2):
        raise _refusal("signals.season", "must name two columns, sine and cosine, or none", file)


def _numbers(part: Any, where: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for item in fields(part):
        value = getattr(part, item.name)
        if is_dataclass(value):
            found += _numbers(value, f"{where}{item.name}.")
        elif isinstance(value, int | float):
            found.append((f"{where}{item.name}", value))
    return found


def _refusal(key: str, why: str, file: Path | None) -> RecipeError:
    place = f"in {file}" if file else "in the recipe"
    return RecipeError(f"The key '{key}' {place} {why}.", hint="Mend the key.", file=file)
