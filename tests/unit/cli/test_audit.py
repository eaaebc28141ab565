"""Proof, history and housekeeping, as the command line has them."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from crossdock.dock import Dock

if TYPE_CHECKING:
    from conftest import Installation

Orders = Callable[..., str]


@pytest.fixture
def run(known: Installation, orders: Orders) -> Installation:
    """An installation that has taken in one file, a line of which waits."""
    known.drop("po.jsonl", orders(("1", "10"), {"line_no": "20", "item_no": "V-1"}))
    assert known.run("run").exit_code == 0
    return known


def archived(run: Installation) -> Path:
    (file,) = (path for path in (run.home / "archive").glob("??/??/*") if path.is_file())
    return file


def test_what_is_whole_is_said_to_be_with_a_hash_to_note_down(run: Installation) -> None:
    whole = run.run("verify")
    assert whole.exit_code == 0
    head = whole.stdout.split()[-1]
    assert run.run("verify", "--head", head).exit_code == 0
    assert run.run("verify", "--head", "0" * 63 + "1").exit_code == 1


@pytest.mark.parametrize("damage", ["changed", "missing", "orphaned"])
def test_a_changed_byte_and_a_lost_file_are_found(run: Installation, damage: str) -> None:
    file = archived(run)
    if damage == "orphaned":
        stray = hashlib.sha256(b"stray").hexdigest()
        place = run.home / "archive" / stray[:2] / stray[2:4] / stray
        place.parent.mkdir(parents=True)
        place.write_bytes(b"stray")
    elif damage == "missing":
        file.unlink()
    else:
        file.chmod(0o640)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    found = run.run("verify", "--json")
    assert [json.loads(line)["kind"] for line in found.stdout.splitlines()] == [damage]
    assert found.exit_code == (0 if damage == "orphaned" else 1)


def test_the_trail_says_who_did_what_and_why(run: Installation) -> None:
    run.run("fix", "item", "V-1", "P-200", "--author", "person anna", "--reason", "mail of today")

    (entry, *_) = (json.loads(line) for line in run.run("audit", "--action", "document", "--json").stdout.splitlines())
    assert (entry["actor"], entry["action"], entry["reason"]) == ("person anna", "document.read_again", "mail of today")
    assert entry["detail"]["released"] == 1
    assert "mail of today" in run.run("audit", "master cross_references").stdout


def test_a_partners_history_is_one_file_that_proves_itself(run: Installation, tmp_path: Path) -> None:
    file = tmp_path / "acme.zip"
    done = run.run("history", "ACME", str(file))
    assert done.exit_code == 0, done.output

    with zipfile.ZipFile(file) as held:
        manifest = json.loads(held.read("manifest.json"))
        for name, digest in manifest["sha256"].items():
            assert hashlib.sha256(held.read(name)).hexdigest() == digest
        history = [json.loads(line) for line in held.read("history.jsonl").splitlines()]
        raw = held.read(f"raw/{archived(run).name}")
    assert raw == archived(run).read_bytes()
    assert {row["kind"] for row in history} == {"payload", "document", "finding", "parked_line", "audit"}
    assert run.run("history", "NOBODY", str(tmp_path / "nobody.zip")).exit_code == 2
    assert not (tmp_path / "nobody.zip").exists()


def test_what_is_too_old_goes_unless_it_waits(run: Installation, orders: Orders) -> None:
    leftover = run.home / "archive" / "incoming" / "killed.part"
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    keeping = {"CROSSDOCK_KEEP_RAW": "0s", "CROSSDOCK_KEEP_FINDINGS": "0s", "CROSSDOCK_PARKED_TOO_LONG": "0s"}
    run.environment.update(keeping)

    done = run.run("maintain")
    assert "given up: 0 payloads' bytes, 0 findings, 0 superseded events, 1 leftovers" in done.stdout
    assert "1 line waits for item 'V-1'" in done.stdout
    assert done.exit_code == 1
    assert not leftover.exists()

    run.run("fix", "item", "V-1", "P-200")
    file = archived(run)
    assert run.run("hold", "ACME", "--reason", "case 4711").exit_code == 0
    assert "0 payloads' bytes" in run.run("maintain").stdout
    assert run.run("hold", "ACME", "--lift", "--reason", "settled").exit_code == 0
    after = run.run("maintain")
    assert "given up: 2 payloads' bytes" in after.stdout
    assert after.exit_code == 0
    assert not file.exists()
    assert run.run("verify").exit_code == 0

    run.environment["CROSSDOCK_KEEP_RAW"] = "long"
    refused = run.run("maintain")
    assert (refused.exit_code, "CROSSDOCK_KEEP_RAW: not a duration" in refused.stderr) == (2, True)


def test_versions_of_a_master_table_are_told_apart(run: Installation) -> None:
    with Dock.open(run.settings) as dock:
        items = dock.ledger.loaded_master()["items"]
        changed = items.with_columns(
            status=pl.when(pl.col("item") == "P-100").then(pl.lit("blocked")).otherwise("status")
        )
        more = items.head(1).with_columns(item=pl.lit("P-300"))
        dock.ledger.load_master("items", pl.concat([changed.head(1), more]), source="ERP", actor="ERP")

    told = run.run("master", "diff", "items").stdout
    assert told.splitlines() == [
        "changed P-100 / : status 'active' -> 'blocked'",
        "removed P-200 / : item 'P-200' -> '', base_unit 'C62' -> '', status 'active' -> ''",
        "added P-300 / : item '' -> 'P-300', base_unit '' -> 'C62', status '' -> 'active'",
        "3 rows differ between versions 1 and 2",
    ]
    first, *_ = run.run("master", "diff", "items", "--json").stdout.splitlines()
    assert json.loads(first) == {
        "change": "changed", "key": ["P-100", ""], "fields": {"status": ["active", "blocked"]}
    }  # fmt: skip
    (row,) = run.run("master", "show", "items", "P-300", "--json").stdout.splitlines()
    assert json.loads(row) | {"item": "P-300", "base_unit": "C62"} == json.loads(row)
    assert run.run("master", "diff", "items", "7").exit_code == 2
    run.run("fix", "item", "V-9", "P-100", "--partner", "ACME", "--author", "anna", "--reason", "asked")
    assert "anna: partner ACME, kind item, theirs V-9, ours P-100 (asked)" in run.run("master", "added").stdout
