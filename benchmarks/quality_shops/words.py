"""The sentences of ``docs/quality.md`` that are not figures."""

OPENING = """# How good the scores are

Everything on this page is printed by `python benchmarks/quality.py --all --write` on public data;
the recipe is `training/default.toml`, the same for every dataset. Shops that show use instead of
orders (logins, messages) are taken in with a use as an order without money, so that churn is "no
use" and the signals of rhythm apply; `label = "activity:EVENT"` would give the same outcome.

At each cutoff the recipe and every peer learn from the signals of customers whose outcome was
known by then, and score everybody once. `ours less it` is the mean difference over the cutoffs
with its 95 % interval: whole customers are drawn with all their rows, 500 times, both models on
the same draw. "Within noise" means that no peer is better by that interval. AUC and lift: more is
better; log loss and ECE (ten equal-count bins): less is. Lift is the churn rate of the riskiest
tenth over that of all, so it cannot be large where nearly everybody leaves.

The peers: recency and RFM by logistic regression; BG/NBD and MBG/NBD as fitted on what was known,
for the dataset's own horizon; LightGBM with its default parameters; and *season-aware LightGBM*:
held back (15 leaves of at least 100 rows, l2 10, three seeds averaged), on all cutoffs of the
year, with the season and the lifetime models among its columns.
"""

UNUSABLE = {
    "home_goods_shop": (
        "Reported only. Until October 2019 hardly anybody came back; then the file has no new "
        "customers, and each month's old ones return in one month: those of October to January in "
        "November, of February to April in December, of May to September in January. No past could "
        "tell of that, every ranking is turned round, and differences say nothing of a model."
    ),
    "kkbox_daily_activity_sample": "Reported only: 144 users, three to five of whom leave.",
}
"""What a reader must know of datasets that are reported only."""

TRIED = """## What was tried

`python benchmarks/quality.py --dataset NAME --try CHANGE --write`. In each cell the log loss with
the change less that without it (less is better): at the test cutoffs; then, where there are any,
at up to four cutoffs before them. Trees alone are judged, one model a cutoff with slope and level
set on the judged rows, so that only ranks count; changes of the calibration, and of where trees
start, by the calibrated risks.
"""

CLOSING = """## What was chosen while looking

The learner and the widths of season and drift were first chosen while looking at the four cutoffs
of Online Retail II, so a little of the lead there may be luck. Since then, while looking at the
other datasets: a tree may see half of the signals, not 30 %; and the season is part of the drift
until the same weeks have been seen a year before, from which the tickets gain most. On the grocery
trees that start from the lifetime model's risk ranked worse than the best peer at the test cutoffs.
So they now start from as much of it as a regression believes, and from nothing where cross-fitted
rows of the newest known cutoffs are for that by more than the noise: chosen at cutoffs before the
test ones, on the grocery, the messages and the logins. It cost the grocery some log loss. The
learners that few customers can carry have equal say before evidence: chosen on small cuts of shops
(`docs/small-shops.md`). Looked at by hand and dropped, without figures that a command prints: a
trend in the level, a linear start for the trees. `--try NAME` prints what a change brings at the
test cutoffs and at those before; `--tune N` what a search of the numbers brings. Datasets that the
tables of tries and of tuning do not name were not measured so, and nothing in the recipe was
changed after these two were seen.

The sampling standard deviation of AUC is about .008 with 3,000 customers: judge by paired
differences.
"""
