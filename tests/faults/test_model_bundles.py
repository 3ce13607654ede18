"""Bad models never replace good ones: F12 to F15 and F18 on the champion that a server holds."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle  # noqa: TID251 - to make what must never be read
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_model import (
    FAMILIES,
    make_bundle,
    make_model,
    make_shop,
    promote,
    rewrite_json,
    signed_again,
)

from churnguard.errors import BundleMismatch, StoreUnavailable
from churnguard.features.catalogue import Catalogue
from churnguard.jobs.canary import prove_apart
from churnguard.jobs.champion import ChampionHolder
from churnguard.jobs.ports import Shop
from churnguard.project.layout import Layout
from churnguard.training.boosted import BoostedScorer


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Make a shop with one good model; tests add others to its ledger."""
    shop = make_shop(tmp_path_factory.mktemp("models") / "shop", customers=5)
    make_bundle(shop, 1)
    return shop


@pytest.fixture(scope="module")
def good(shop: Shop) -> Path:
    """The folder of the good bundle."""
    return next(one for one in Layout(shop.root).bundles.iterdir() if one.is_dir())


@pytest.fixture
def holder(shop: Shop, good: Path) -> ChampionHolder:
    """Hold the good model, as a server does; the canary is tried in tests of its own."""
    promote(shop, good)
    holder = ChampionHolder(shop, canary=lambda _layout, _entry: None)
    assert holder.refresh(), holder.error
    return holder


def refused(shop: Shop, holder: ChampionHolder, folder: Path) -> str:
    """Name a bundle the champion, hold that the one before goes on, and return why."""
    before = holder.current()
    promote(shop, folder)
    assert not holder.refresh()
    assert holder.current() is before
    assert holder.error
    return holder.error


FILES = (
    "manifest.json", "manifest.sig", "models/trees.txt", "scorer.json", "calibration.json",
    "catalogue.json", "facts.json", "reasons.json", "recipe.json", "card.md",
    "golden_events.parquet", "golden_rows.parquet",
)  # fmt: skip


def test_every_file_of_a_bundle_is_damaged_below(good):
    assert {one.relative_to(good).as_posix() for one in good.rglob("*.*")} == set(FILES)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(FILES),
    where=st.floats(0, 1, exclude_max=True),
    how=st.sampled_from(["flip", "cut", "insert", "zero", "empty"]),
    bit=st.integers(0, 7),
)
def test_a_damaged_file_is_refused_and_the_version_stays(shop, good, holder, name, where, how, bit):
    """F13: flipped bits, cut ends, bytes too many, zeroes: in any file, anywhere."""
    file = good / name
    whole = file.read_bytes()
    place = int(where * len(whole))
    damaged = {
        "flip": whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :],
        "cut": whole[:place],
        "insert": whole[:place] + b"\x00" + whole[place:],
        "zero": whole[:place] + bytes(len(whole) - place),
        "empty": b"",
    }[how]
    if damaged == whole:
        return
    try:
        file.write_bytes(damaged)
        assert refused(shop, holder, good)
    finally:
        file.write_bytes(whole)


def test_a_mended_bundle_is_taken_up_later(shop, good):
    """F13: a refused bundle is tried again after a while, and serves once it is whole."""
    now = [0.0]
    promote(shop, good)
    holder = ChampionHolder(shop, monotonic=lambda: now[0])
    whole = (good / "scorer.json").read_bytes()
    (good / "scorer.json").write_bytes(b"{")
    try:
        assert not holder.refresh()
        assert "scorer.json" in (holder.error or "")
    finally:
        (good / "scorer.json").write_bytes(whole)
    assert not holder.refresh(), "it is left alone for a while"
    now[0] = 31.0
    assert holder.refresh()
    assert holder.error is None


def test_a_file_that_the_manifest_does_not_name_is_refused(shop, good, holder):
    """F13: nothing is in a bundle by chance."""
    (good / "extra.bin").write_bytes(b"1")
    try:
        assert "lacks or adds files: extra.bin" in refused(shop, holder, good)
    finally:
        (good / "extra.bin").unlink()


def test_a_bundle_of_a_stranger_is_refused(shop, good, holder, tmp_path):
    """F13: a signature by a key that is not in ``serving/trust/``."""
    other = make_shop(tmp_path / "other", customers=2)
    theirs = make_bundle(other, 7)
    folder = Layout(shop.root).bundles / theirs.name
    shutil.copytree(theirs, folder)
    assert "not signed" in refused(shop, holder, folder)
    assert holder.refused.reason == "untrusted"


def test_another_good_bundle_in_its_place_is_refused(shop, good, holder):
    """F13: an older bundle, well signed, put where the ledger's should be."""
    newer = make_bundle(shop, 2)
    shutil.rmtree(newer)
    shutil.copytree(good, newer)
    assert "another one" in refused(shop, holder, newer)
    shutil.rmtree(newer)
    assert holder.refused.reason == "damaged"
    assert "not in bundles" in refused(shop, holder, newer)
    assert holder.refused.reason == "missing"


def change_order(folder: Path) -> None:
    rewrite_json(folder / "catalogue.json", lambda v: v["signals"].reverse())


def leave_one_out(folder: Path) -> None:
    rewrite_json(folder / "catalogue.json", lambda v: v | {"signals": v["signals"][:-1]})


def other_version(folder: Path) -> None:
    rewrite_json(folder / "catalogue.json", lambda v: v["signals"][0].update(digest="0" * 16))


def other_columns(folder: Path) -> None:
    rewrite_json(folder / "scorer.json", lambda v: v["names"].reverse())


def no_catalogue(folder: Path) -> None:
    (folder / "catalogue.json").write_text("[]")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_order, "other_signals"),
        (leave_one_out, "other_signals"),
        (other_version, "other_signals"),
        (other_columns, "damaged"),
        (no_catalogue, "damaged"),
    ],
)
def test_a_model_for_other_signals_is_refused(shop, good, holder, change, reason):
    """F14: another list, order or version of signals, with hashes and signature in order.

    The refusal is for the signals: no golden customer has been tried by then.
    """
    assert refused(shop, holder, signed_again(shop, good, change))
    assert holder.refused.reason == reason


def test_a_model_that_says_the_same_of_everybody_is_refused(shop, holder):
    """F15: a constant model."""
    model = make_model(3)
    text = model.scorer.text
    flat = "\n".join(
        "leaf_value=" + " ".join("0.1" for _ in line.split())
        if line.startswith("leaf_value=")
        else line
        for line in text.split("\n")
    )
    assert "says nothing" in refused(shop, holder, _with_trees(shop, flat))
    assert holder.refused.reason == "says_nothing"


def test_a_model_that_gives_no_number_is_refused(shop, holder):
    """F15: NaN for everybody."""
    nan = "\n".join(
        "leaf_value=" + " ".join("nan" for _ in line.split())
        if line.startswith("leaf_value=")
        else line
        for line in make_model(3).scorer.text.split("\n")
    )
    assert "says nothing" in refused(shop, holder, _with_trees(shop, nan))


def _with_trees(shop: Shop, text: str) -> Path:
    """Write a bundle, golden rows included, with other trees."""
    scorer = BoostedScorer(lightgbm.Booster(model_str=text), text, None, 0.0)
    return make_bundle(shop, 3, model=replace(make_model(3), scorer=scorer))


def test_golden_rows_that_do_not_come_out_are_refused(shop, good, holder):
    """F15: the trees of another model beside this one's golden rows."""
    other = make_model(5).scorer.text

    def change(folder: Path) -> None:
        (folder / "models" / "trees.txt").write_text(other)

    assert "other numbers" in refused(shop, holder, signed_again(shop, good, change))
    assert holder.refused.reason == "other_numbers"


class Marker:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.file}",)


ARTIFACTS = (
    "model.pkl", "models/model.joblib", "python_model.pkl", "model.pkl.gz", "model.skops",
    "MLmodel", "loader.py",
)  # fmt: skip


def _with_a_trust_list_of_its_own(harmful: bytes) -> bytes:
    """Return a file of skops that asks for ``os.system`` and says itself that this is trusted."""
    schema = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "ReduceNode",
        "reduce": {"content": "inner.pkl"},
        "trusted": ["os.system"],
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        archive.writestr("inner.pkl", harmful)
    return packed.getvalue()


@pytest.mark.parametrize("name", ARTIFACTS)
@pytest.mark.parametrize("signed", [True, False])
def test_what_could_run_code_is_never_read(shop, good, holder, tmp_path, name, signed):
    """F18: pickles, joblib files and MLmodel loaders in a bundle leave no mark."""
    mark = tmp_path / "ran"
    harmful = pickle.dumps(Marker(mark))
    if name == "MLmodel":
        harmful = b"flavors:\n  python_function:\n    loader_module: os\n    code: code\n"
    if name.endswith(".gz"):
        harmful = gzip.compress(harmful)
    if name.endswith(".skops"):
        harmful = _with_a_trust_list_of_its_own(harmful)
    if name == "loader.py":
        harmful = f"open({str(mark)!r}, 'w')".encode()

    def change(folder: Path) -> None:
        (folder / name).write_bytes(harmful)

    if signed:
        promote(shop, signed_again(shop, good, change))
        holder.refresh()  # data that nobody reads does no harm
    else:
        (good / name).write_bytes(harmful)
        try:
            assert refused(shop, holder, good)
        finally:
            (good / name).unlink()
    assert not mark.exists()


@pytest.mark.parametrize("name", ["scorer.json", "models/trees.txt", "golden_rows.parquet"])
def test_a_pickle_in_place_of_a_file_is_refused_unread(shop, good, holder, tmp_path, name):
    """F18: also where it is well signed."""
    mark = tmp_path / "ran"

    def change(folder: Path) -> None:
        (folder / name).write_bytes(pickle.dumps(Marker(mark)))

    assert refused(shop, holder, signed_again(shop, good, change))
    assert not mark.exists()


def test_the_canary_loads_what_is_good_and_tells_what_is_bad(shop, good):
    """F13: a bundle is loaded in a process of its own before it comes near the server."""
    layout, entry = Layout(shop.root), promote(shop, good)
    prove_apart(layout, entry)
    bad = signed_again(shop, good, change_order)
    with pytest.raises(BundleMismatch, match="other signals") as told:
        prove_apart(layout, promote(shop, bad))
    assert told.value.fault == "other_signals", "the kind of fault comes out of that process, too"


def test_trees_that_end_their_reader_do_not_end_the_server(shop, good, holder):
    """F13: LightGBM ends the process on a text whose trees have other sizes than it says.

    Signed as it is, only the canary stands between it and the server.
    """

    def change(folder: Path) -> None:
        file = folder / "models" / "trees.txt"
        head, tree, rest = file.read_text().partition("Tree=0\n")
        sizes = " ".join(["10"] * rest.count("num_leaves="))
        file.write_text(f"{head.rstrip()}\ntree_sizes={sizes}\n\n{tree}{rest}")

    careful = ChampionHolder(shop)
    careful._loaded = before = holder.current()
    promote(shop, signed_again(shop, good, change))
    assert not careful.refresh()
    assert careful.current() is before
    assert "ends the process that loads it" in (careful.error or "")
    assert careful.refused.reason == "crashes"


def test_the_ledger_out_of_reach_changes_nothing(shop, holder):
    """F12: neither the registry nor the ledger is needed to go on serving."""

    class Away:
        def champion(self):
            raise StoreUnavailable("The store was out of reach a moment ago.")

    holder._shop = replace(shop, ledger=Away())
    before = holder.current()
    assert not holder.refresh()
    assert (holder.current(), holder.error) == (before, None)


def test_the_models_of_these_tests_are_different():
    """The tests above tell models apart."""
    row = np.full((1, len(Catalogue.of(FAMILIES))), 40.0)
    assert make_model(1).margins(row) != make_model(2).margins(row)
