"""What Spark lacks is told in a sentence, before anything is read or written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from churnguard.engines import session
from churnguard.engines.session import java_version, start_session
from churnguard.errors import InvalidRequest


def java_of(folder: Path, version: str) -> Path:
    """A program that answers as Java of some version does."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def _pyspark(monkeypatch):
    """Java is looked for only where pyspark is there."""
    monkeypatch.setattr(session, "find_spec", lambda name: name)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)


@pytest.mark.skipif(find_spec("pyspark") is not None, reason="pyspark is installed")
def test_without_pyspark_the_extra_is_named():
    with pytest.raises(InvalidRequest, match="needs pyspark") as told:
        start_session()
    assert "churnguard[spark]" in told.value.hint


@pytest.mark.usefixtures("_pyspark")
@pytest.mark.parametrize("home", [None, "nowhere"])
def test_without_java_it_is_told_where_it_was_looked_for(tmp_path, monkeypatch, home):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / home))
    with pytest.raises(InvalidRequest, match="needs Java 17 or later, and") as told:
        start_session()
    assert ("nowhere" in told.value.message) is (home is not None)
    assert "openjdk-17" in told.value.hint


@pytest.mark.usefixtures("_pyspark")
def test_an_old_java_is_named_with_its_version(tmp_path, monkeypatch):
    java_of(tmp_path, "11.0.22")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(InvalidRequest, match=r"bin/java is Java 11\.$"):
        start_session()


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("25", 25), ("1.8.0_402", 1)])
def test_the_version_is_read_as_java_says_it(tmp_path, said, version):
    assert java_version(str(java_of(tmp_path, said))) == version
