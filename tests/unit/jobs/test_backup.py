"""A backup is whole or none, of one moment, without secrets; what comes back is what was there."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

import churnguard
from churnguard.bootstrap import back_up_project, restore_project
from churnguard.errors import DataError, InvalidRequest, StoreError
from churnguard.jobs.erase import erase, finish_erasures
from churnguard.jobs.timeline_cache import TimelineCache
from churnguard.store.copying import place_store
from churnguard.store.database import upgrade_database
from churnguard.testing import NOON, build_events


def some_events(first, last):
    return build_events(
        {
            "event_id": f"e{number}",
            "customer_id": f"C{number % 40}",
            "occurred_at": NOON - timedelta(days=number % 20, seconds=number),
        }
        for number in range(first, last)
    )


@pytest.fixture
def shop(tmp_path):
    churnguard.create_project(tmp_path / "shop", name="Olive")
    shop = churnguard.open_shop(tmp_path / "shop", environ={})
    shop.events.append(some_events(0, 60))
    shop.events.export()
    shop.events.append(some_events(60, 80))
    return shop


@pytest.fixture
def copy(shop, tmp_path):
    back_up_project(shop.root, tmp_path / "copy", environ={})
    return tmp_path / "copy"


def ids(shop):
    return sorted(shop.events.history()["event_id"].to_pylist())


def test_what_comes_back_is_what_was_there(shop, copy, tmp_path):
    """The log with its files and its tail, the settings, and the rooms."""
    shop.events.append(some_events(80, 90))
    restored = restore_project(copy, tmp_path / "again")
    again = churnguard.open_shop(tmp_path / "again", environ={})
    assert ids(again) == sorted(f"e{number}" for number in range(80))
    assert again.settings == shop.settings
    assert again.events.export() == 20
    assert len(ids(again)) == 80
    assert (again.root / "serving" / "playbook.toml").is_file()
    assert (restored.erased, restored.by_hand) == (0, None)


def test_secrets_are_left_out_unless_asked_for(shop, copy, tmp_path):
    """And a backup is for its owner's eyes."""
    assert not (copy / "project" / ".secrets").exists()
    back_up_project(shop.root, tmp_path / "whole", with_secrets=True, environ={})
    assert (tmp_path / "whole" / "project" / ".secrets" / "holdout_key").is_file()
    assert (tmp_path / "whole").stat().st_mode & 0o077 == 0


def test_a_backup_of_a_shop_in_use_is_of_one_moment(shop, tmp_path):
    """Batches of ten come in meanwhile, and are exported: each is in the copy whole, or not."""
    stop = threading.Event()

    def go_on():
        number = 100
        while not stop.is_set():
            shop.events.append(some_events(number, number + 10))
            shop.events.export()
            number += 10

    worker = threading.Thread(target=go_on)
    worker.start()
    try:
        for turn in range(3):
            back_up_project(shop.root, tmp_path / f"copy-{turn}", environ={})
    finally:
        stop.set()
        worker.join()
    for turn in range(3):
        restore_project(tmp_path / f"copy-{turn}", tmp_path / f"again-{turn}")
        found = ids(churnguard.open_shop(tmp_path / f"again-{turn}", environ={}))
        assert len(found) == len(set(found))
        assert len(found) % 10 == 0


@pytest.mark.parametrize("harm", ["changed", "missing", "unfinished"])
def test_a_damaged_backup_is_refused(copy, tmp_path, harm):
    """Nothing is restored of it."""
    victim = copy / ("manifest.json" if harm == "unfinished" else "store.db")
    if harm == "changed":
        raw = bytearray(victim.read_bytes())
        raw[len(raw) // 2] ^= 1
        victim.write_bytes(raw)
    else:
        victim.unlink()
    with pytest.raises(DataError):
        restore_project(copy, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_damaged_store_is_not_put_in_place(tmp_path):
    (tmp_path / "store.db").write_bytes(b"these are notes, not a store" * 500)
    with pytest.raises(StoreError, match="damaged"):
        place_store(tmp_path / "store.db", f"sqlite:///{tmp_path}/data/shop.db")
    assert list((tmp_path / "data").iterdir()) == []


def test_nothing_is_overwritten(shop, copy):
    """Neither a backup by another, nor a project by a restore; and none lies within its project."""
    with pytest.raises(InvalidRequest, match="not empty"):
        back_up_project(shop.root, copy, environ={})
    with pytest.raises(InvalidRequest, match="not empty"):
        restore_project(copy, shop.root)
    with pytest.raises(InvalidRequest, match="within the project"):
        back_up_project(shop.root, shop.root / "backup", environ={})
    with pytest.raises(StoreError, match="already"):
        place_store(copy / "store.db", f"sqlite:///{shop.root}/data/churnguard.db")


def test_who_was_erased_after_the_backup_does_not_come_back(shop, tmp_path):
    """F44: the tombstones of today are fed in, and the person is gone before anything is served."""
    environ: dict[str, str] = {}
    back_up_project(shop.root, tmp_path / "before", with_secrets=True, environ=environ)
    erase(shop, "C7", actor="dana")
    back_up_project(shop.root, tmp_path / "after", environ=environ)
    newer = tmp_path / "after" / "tombstones.json"
    assert len(json.loads(newer.read_text())) == 1
    done = restore_project(tmp_path / "before", tmp_path / "again", tombstones=newer, environ={})
    assert (done.tombstones, done.erased) == (1, 1)
    again = churnguard.open_shop(tmp_path / "again", environ={})
    assert not again.events.has_customer("C7")
    assert again.events.has_customer("C8")
    for file in (tmp_path / "again" / "data" / "events").glob("received=*/*.parquet"):
        assert "C7" not in pq.read_table(file)["customer_id"].to_pylist()


def test_without_the_keys_the_tombstones_wait_for_the_first_start(shop, tmp_path):
    """A backup without secrets cannot tell whom a digest names; it says so, and keeps them."""
    back_up_project(shop.root, tmp_path / "before", environ={})
    erase(shop, "C7", actor="dana")
    newer = shop.root / "data" / "tombstones.json"
    done = restore_project(tmp_path / "before", tmp_path / "again", tombstones=newer, environ={})
    assert (done.tombstones, done.erased) == (1, None)
    shutil.copytree(shop.root / ".secrets", tmp_path / "again" / ".secrets")
    again = churnguard.open_shop(tmp_path / "again", environ={})
    assert finish_erasures(again) == 1
    assert not again.events.has_customer("C7")


def test_tombstones_that_cannot_be_read_are_refused(copy, tmp_path):
    (tmp_path / "newer.json").write_text("[[1]]")
    with pytest.raises(DataError, match="tombstones"):
        restore_project(copy, tmp_path / "again", tombstones=tmp_path / "newer.json", environ={})


@pytest.mark.postgres
def test_a_store_in_postgres_is_left_to_pg_dump(tmp_path, postgres_url):
    """The command is told, without a password; the rest is copied as ever."""
    upgrade_database(postgres_url)
    environ = {"CHURNGUARD_STORE": postgres_url.replace("postgres@", "postgres:secret@")}
    churnguard.create_project(tmp_path / "shop")
    shop = churnguard.open_shop(tmp_path / "shop", environ=environ)
    shop.events.append(some_events(0, 10))
    shop.events.export()
    made = back_up_project(shop.root, tmp_path / "copy", environ=environ)
    schema = postgres_url.rpartition("=")[2]
    assert made.by_hand.startswith(f"pg_dump --format=custom --schema={schema} ")
    assert "secret" not in made.by_hand
    assert not (tmp_path / "copy" / "store.db").exists()
    restored = restore_project(tmp_path / "copy", tmp_path / "again")
    assert restored.by_hand == made.by_hand
    assert list((tmp_path / "again" / "data" / "events").glob("received=*/*.parquet"))


def test_what_is_restored_counts_as_a_log_that_nobody_has_seen(shop, copy, tmp_path):
    """Two restores of one backup, and the shop itself, however often it was rewritten since."""
    epochs = {shop.changes.position(NOON)[0].epoch}
    for turn in range(2):
        restore_project(copy, tmp_path / f"again-{turn}", environ={})
        again = churnguard.open_shop(tmp_path / f"again-{turn}", environ={})
        epochs.add(again.changes.position(NOON)[0].epoch)
    assert len(epochs) == 3


def test_a_cache_forgets_what_it_knew_when_a_backup_takes_the_stores_place(shop, copy, tmp_path):
    """Also where as many events as before came in again meanwhile, so that no number tells."""
    cache = TimelineCache(shop)
    shop.events.append(some_events(80, 81))
    assert len(cache(["C0"], NOON).timelines[0]) == 3
    restore_project(copy, tmp_path / "again", environ={})
    back = churnguard.open_shop(tmp_path / "again", environ={})
    back.events.append(some_events(81, 82))
    files = (one / "data" / "churnguard.db" for one in (back.root, shop.root))
    with contextlib.ExitStack() as stack:
        source, target = (
            stack.enter_context(contextlib.closing(sqlite3.connect(file))) for file in files
        )
        source.backup(target)  # in the same file, as pg_restore does it in the same database
    assert len(cache(["C0"], NOON).timelines[0]) == 2


def test_a_store_is_not_put_beside_the_log_of_another(copy, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "churnguard.db-wal").write_bytes(b"x")
    with pytest.raises(StoreError, match="left behind"):
        place_store(copy / "store.db", f"sqlite:///{tmp_path}/data/churnguard.db")
    assert not (tmp_path / "data" / "churnguard.db").exists()
