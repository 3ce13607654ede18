"""Recipes: defaults, and refusals that name file and key."""

from __future__ import annotations

import pytest

from churnguard.errors import RecipeError
from churnguard.training.recipe import Recipe, read_recipe


def test_the_default_file_states_the_defaults(repo_root):
    """What the file says is what the code does without it, key by key."""
    assert read_recipe(repo_root / "training" / "default.toml") == Recipe()


def test_a_recipe_survives_its_own_dict():
    recipe = Recipe.from_dict({"kind": "linear", "linear": {"columns": ["orders_90d"]}})
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("[boosted]\ntreees = 3", "boosted.treees", "is unknown"),
        ("[boosted]\ntrees = 1.5", "boosted.trees", "whole number"),
        ("[boosted]\ntrees = true", "boosted.trees", "whole number"),
        ("[boosted]\ntrees = 0", "boosted.trees", "over 0"),
        ("[boosted]\nfeature_share = 1.5", "boosted.feature_share", "share"),
        ("[interval]\nmin_customers = 5", "interval.min_customers", "at least 20"),
        ("[signals]\nseason = ['one']", "signals.season", "two columns"),
        ("[signals]\nwithout = 'all'", "signals.without", "list"),
        ("kind = 3", "kind", "text"),
        ("boosted = 3", "boosted", "table"),
    ],
)
def test_a_bad_key_is_refused_by_name(tmp_path, text, key, why):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert f"'{key}'" in caught.value.message
    assert why in caught.value.message
    assert caught.value.file == file


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("kind = ")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "bad.toml")
