"""``init`` hands out the rooms of the repository, with keys, and overwrites nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from churnguard.errors import ProjectError
from churnguard.project.layout import ROOMS
from churnguard.project.secrets import holdout_key, signing_key
from churnguard.project.settings import read_settings
from churnguard.project.template import create_project, create_signing_key
from churnguard.scoring.signature import is_signed_by, read_trusted, sign


def test_a_new_project_has_the_repository_s_rooms(tmp_path: Path, repo_root: Path) -> None:
    """The rooms exist once: what a shop gets is byte for byte what stands in the repository."""
    layout = create_project(tmp_path / "garden", timezone="Asia/Jerusalem", currency="ILS")
    for room in ROOMS:
        shipped = [f for f in (repo_root / room).rglob("*") if f.is_file()]
        for file in shipped:
            if "__pycache__" in file.parts or file.suffix == ".pem":
                continue
            copy = layout.root / file.relative_to(repo_root)
            assert copy.read_bytes() == file.read_bytes()
    settings = read_settings(layout.root, {})
    assert (settings.name, settings.timezone, settings.currency) == (
        "garden",
        "Asia/Jerusalem",
        "ILS",
    )


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create_project(tmp_path / "garden")
    settings = (tmp_path / "garden" / "churnguard.toml").read_bytes()
    with pytest.raises(ProjectError, match="nothing was changed"):
        create_project(tmp_path / "garden", name="other")
    assert (tmp_path / "garden" / "churnguard.toml").read_bytes() == settings


def test_the_signing_key_is_private_and_its_public_half_is_trusted(tmp_path: Path) -> None:
    layout = create_project(tmp_path / "garden")
    assert stat.S_IMODE(layout.signing_key.stat().st_mode) == 0o600
    assert "/.secrets/" in (layout.root / ".gitignore").read_text()
    signature = sign(b"manifest", signing_key(layout, {}))
    assert is_signed_by(b"manifest", signature, read_trusted(layout.trust))


def test_after_a_rotation_old_signatures_still_hold(tmp_path: Path) -> None:
    layout = create_project(tmp_path / "garden")
    old = sign(b"manifest", signing_key(layout, {}))
    create_signing_key(layout)
    new = sign(b"manifest", signing_key(layout, {}))
    assert old != new
    assert is_signed_by(b"manifest", old, read_trusted(layout.trust))
    assert is_signed_by(b"manifest", new, read_trusted(layout.trust))


def test_keys_come_from_the_environment_first(tmp_path: Path) -> None:
    layout = create_project(tmp_path / "garden")
    assert signing_key(layout, {"CHURNGUARD_SIGNING_KEY": "mine"}) == "mine"
    assert holdout_key(layout, {"CHURNGUARD_HOLDOUT_KEY": "h" * 32}) == b"h" * 32
    assert holdout_key(layout, {}) == holdout_key(layout, {})


def test_a_missing_signing_key_says_how_to_make_one(tmp_path: Path) -> None:
    layout = create_project(tmp_path / "garden")
    layout.signing_key.unlink()
    with pytest.raises(ProjectError, match="no key to sign") as caught:
        signing_key(layout, {})
    assert "keys new-signing" in caught.value.hint
