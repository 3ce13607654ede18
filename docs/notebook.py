# ruff: noqa: D100 (the page tells it below)
# %% [markdown]
# # ChurnGuard in a notebook
#
# A shop's events are a table; everything below is a function of it. Here the shop is simulated, so
# that anybody can run this page. `docs/run_notebook.py` runs it and writes `notebook.ipynb`.

# %%
from datetime import UTC, datetime

import churnguard
from churnguard.events.simulation import SimulationPlan, simulate

plan = SimulationPlan(
    customers=400, days=500, end=datetime(2026, 11, 1, tzinfo=UTC), pace=1.5, leaving=0.6
)
events = simulate(plan).events.to_pandas()
events[["customer_id", "event", "occurred_at", "received_at", "value"]].head(3)

# %% [markdown]
# ## Signals and labels
#
# A row sees only what occurred and was received before its cutoff. A label is missing while its
# horizon has not passed.

# %%
rows = churnguard.build_features(events, cutoffs=["2026-06-01", "2026-10-01"])
labels = churnguard.label(events, cutoffs=["2026-06-01", "2026-10-01"], horizon_days=90)
rows[["customer_id", "cutoff", "orders_90d", "days_since_order"]].head(3)

# %%
labels.groupby("cutoff")["churned"].agg(customers="size", known="count", churned="mean").round(2)

# %% [markdown]
# ## Train, and how good it is
#
# The recipe is judged at past cutoffs beside the baselines, then fitted on everything whose outcome
# is known.

# %%
recipe = churnguard.Recipe.from_dict(
    {"cutoffs": {"step_days": 45, "backtests": 2}, "boosted": {"trees": 60, "seeds": 1}}
)
model = churnguard.train(events, recipe=recipe, horizon_days=90)
found = model.backtest
{name: round(found.mean(name)["auc"], 2) for name in found.models}

# %% [markdown]
# ## Score
#
# Everybody gets a number with an interval, or the reason for having none.

# %%
scores = churnguard.score(events, model, as_of="2026-11-01")
scores["status_reason"].fillna("scored").value_counts().to_dict()

# %%
ranked = scores[scores["status"] == "scored"].sort_values("churn_risk", ignore_index=True)
ranked.iloc[[30, 150, 270]][["customer_id", "churn_risk", "risk_low", "risk_high"]].round(2)

# %% [markdown]
# ## With scikit-learn
#
# The same model as a classifier. Told whose rows they are and when they look back, it keeps
# customers and times apart in its folds.

# %%
known = labels["churned"].notna().to_numpy()
X = rows.drop(columns=["customer_id", "cutoff", "population"])
classifier = churnguard.ChurnClassifier({"boosted": {"trees": 60, "seeds": 1}})
classifier.fit(
    X[known],
    labels["churned"][known].astype(bool),
    customer_ids=rows["customer_id"][known],
    cutoffs=rows["cutoff"][known],
)
classifier.predict_proba(X[~known])[:3].round(2)
