"""Nobody serves with a secret that was never drawn (API8)."""

from __future__ import annotations

import secrets

import pytest

from churnguard.errors import ProjectError
from churnguard.project.secrets import demand_drawn_secrets

NAMES = ("CHURNGUARD_SERVICE_KEY", "CHURNGUARD_HOLDOUT_KEY", "CHURNGUARD_SESSION_KEY")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "abcdefg", "x" * 64, "changeme" * 8, "My-PASSWORD-" * 4])
def test_what_nobody_drew_is_refused_by_name_and_not_shown(name, text, tmp_path):
    file = tmp_path / "key"
    file.write_text(text)
    for environ in ({name: text}, {f"{name}_FILE": str(file)}):
        with pytest.raises(ProjectError) as caught:
            demand_drawn_secrets(environ)
        assert name in str(caught.value)
        assert not text or text not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawn_one_is_taken(name):
    for make in (secrets.token_hex, secrets.token_urlsafe):
        demand_drawn_secrets({name: make(32)})
    demand_drawn_secrets({})
