"""Settings come from defaults, file, environment and options, in that order."""

from __future__ import annotations

from pathlib import Path

import pytest

from churnguard.errors import ProjectError
from churnguard.project.settings import explain_settings, read_secret, read_settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "churnguard.toml").write_text('name = "garden"\nhorizon_days = 60\n')
    return tmp_path


def test_later_sources_win(project: Path) -> None:
    """An option beats a variable, a variable beats the file, the file beats the default."""
    environ = {"CHURNGUARD_HORIZON_DAYS": "45", "CHURNGUARD_BANDS": "[0.2, 0.5]"}
    assert read_settings(project, {}).horizon_days == 60
    assert read_settings(project, {}).look_back_days == 365
    assert read_settings(project, environ).horizon_days == 45
    assert read_settings(project, environ).bands == (0.2, 0.5)
    assert read_settings(project, environ, horizon_days=30).horizon_days == 30
    assert read_settings(project, environ, horizon_days=None).horizon_days == 45


def test_a_folder_that_is_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a ChurnGuard project") as caught:
        read_settings(tmp_path, {})
    assert "churnguard init" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("horizn_days = 90", "horizn_days"),
        ("margin = 3", "margin"),
        ('timezone = "Mars/Olympus"', "timezone"),
        ("bands = [0.7, 0.3]", "bands"),
        ("look_back_days = 0", "look_back_days"),
    ],
)
def test_a_wrong_setting_is_named(project: Path, line: str, named: str) -> None:
    (project / "churnguard.toml").write_text(line)
    with pytest.raises(ProjectError, match=f"'{named}'") as caught:
        read_settings(project, {})
    assert "churnguard.toml" in caught.value.hint


def test_broken_toml_is_named(project: Path) -> None:
    (project / "churnguard.toml").write_text("name = ")
    with pytest.raises(ProjectError, match="not valid TOML"):
        read_settings(project, {})


def test_each_setting_says_where_it_comes_from(project: Path) -> None:
    rows = {
        name: (value, origin)
        for name, value, origin in explain_settings(
            project, {"CHURNGUARD_MARGIN": "0.4", "CHURNGUARD_SIGNING_KEY": "very secret"}
        )
    }
    assert rows["name"] == ("garden", "churnguard.toml")
    assert rows["margin"] == (0.4, "CHURNGUARD_MARGIN")
    assert rows["look_back_days"] == (365, "default")
    assert rows["CHURNGUARD_SIGNING_KEY"] == ("set", "CHURNGUARD_SIGNING_KEY")
    assert rows["CHURNGUARD_SESSION_KEY"] == ("not set", "default")
    assert "very secret" not in str(rows)


def test_a_secret_comes_from_a_variable_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from file\n")
    assert read_secret("X", {"X": "plain", "X_FILE": str(tmp_path / "key")}) == "plain"
    assert read_secret("X", {"X_FILE": str(tmp_path / "key")}) == "from file"
    assert read_secret("X", {}) is None
    with pytest.raises(ProjectError, match="X_FILE"):
        read_secret("X", {"X_FILE": str(tmp_path / "missing")})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "postgresql+psycopg://u:pa:ss@db/shops?schema=a",
            "postgresql+psycopg://u:***@db/shops?schema=a",
        ),
        ("postgresql+psycopg://u@db/shops", "postgresql+psycopg://u@db/shops"),
        ("sqlite:///data/churnguard.db", "sqlite:///data/churnguard.db"),
    ],
)
def test_a_password_in_the_stores_address_is_not_shown(tmp_path, address, shown):
    (tmp_path / "churnguard.toml").write_text(f'store = "{address}"')
    values = {name: value for name, value, _ in explain_settings(tmp_path, {})}
    assert values["store"] == shown
