"""Loading master data: what is put in force, what is held back, and what a crash leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from connectors.archive import Archive
from connectors.base import Arrival
from connectors.channel import Channel
from crossdock.ledger import Ledger, PayloadRecord
from crossdock.master.loading import MasterLoad, load_master_data, master_in_force
from mappings.quality import Case, Unmet, Verdict
from schemas.errors import ConfigError, TransientError
from schemas.findings import Finding
from schemas.master import MASTER_TABLES

SUITES = Path(__file__).resolve().parents[3] / "schemas" / "expectations"
CHANNEL = Channel(channel="erp_master", purpose="master_data", source={"kind": "folder"})


class FakeLedger:
    """Master data and payloads of a ledger, in memory; remembers what it was told."""

    def __init__(self) -> None:
        self.tables = {
            name: pl.DataFrame(schema=dict.fromkeys(columns, pl.String)) for name, columns in MASTER_TABLES.items()
        }
        self.versions: dict[str, int] = {}
        self.loads: list[dict[str, Any]] = []
        self.findings: dict[int, tuple[Finding, ...]] = {}
        self.records: dict[int, PayloadRecord] = {}

    def record_payload(self, **given: Any) -> PayloadRecord:
        record = PayloadRecord(id=len(self.records) + 1, status="received", **given)
        self.records[record.id] = record
        return record

    def payload(self, id: int) -> PayloadRecord:
        return self.records[id]

    def payloads(self, *, status: str, channel: str, limit: int) -> list[dict[str, Any]]:
        fitting = [one.id for one in self.records.values() if (one.status, one.channel) == (status, channel)]
        return [{"id": id} for id in reversed(fitting)]

    def store(self, payload: int, translated: Iterable[Finding]) -> None:
        self._end(payload, "translated", translated)

    def quarantine(self, payload: int, findings: Sequence[Finding]) -> None:
        self._end(payload, "quarantined", findings)

    def requeue(self, ids: Sequence[int]) -> None:
        for id in ids:
            self.records[id] = replace(self.records[id], status="received")

    def _end(self, id: int, status: str, findings: Iterable[Finding]) -> None:
        if self.records[id].status == "received":
            self.records[id] = replace(self.records[id], status=status)
            self.findings[id] = tuple(findings)

    def loaded_master(self) -> Mapping[str, pl.DataFrame]:
        return dict(self.tables)

    def master(self) -> Mapping[str, pl.DataFrame]:
        return self.loaded_master()

    def master_version(self) -> str:
        return str(sorted(self.versions.items()))

    def load_master(self, table: str, rows: pl.DataFrame, *, source: str, actor: str) -> int:
        if not rows.sort(rows.columns).equals(self.tables[table].sort(rows.columns)):
            self.tables[table] = rows
            self.versions[table] = self.versions.get(table, 0) + 1
            self.loads.insert(0, {"table": table, "status": "in_force", "source": source})
        return self.versions[table]

    def note_rejected_master(
        self, table: str, *, source: str, actor: str, reasons: Sequence[str], payload: int
    ) -> None:
        load = {"table": table, "status": "rejected", "source": source, "reasons": tuple(reasons)}
        self.loads.insert(0, load | {"payload": payload, "decision": ""})

    def master_loads(self, limit: int) -> list[dict[str, Any]]:
        return self.loads[:limit]

    def in_status(self, status: str) -> list[str]:
        return [one.name for one in self.records.values() if one.status == status]

    def rejected(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(load["table"], load["reasons"]) for load in reversed(self.loads) if load["status"] == "rejected"]


@dataclass
class ListSource:
    """Payloads by name, gone once settled."""

    payloads: dict[str, bytes]
    settled: list[str] = field(default_factory=list)
    broken: bool = False

    def arrivals(self, limit: int) -> Iterator[Arrival]:
        now = datetime(2026, 11, 22, tzinfo=UTC)
        for name in list(self.payloads)[:limit]:
            yield Arrival(key=name, name=name, received_at=now)

    def fetch(self, arrival: Arrival) -> Iterator[bytes]:
        if self.broken:
            raise TransientError("the line is dead")
        yield self.payloads[arrival.name]

    def settle(self, arrival: Arrival) -> None:
        self.settled.append(arrival.name)
        del self.payloads[arrival.name]

    def close(self) -> None: ...


class Judge:
    """Finds fault with every row whose check columns are filled, or with tables it is told to refuse."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.calls: list[list[str]] = []
        self.least_rows: dict[str, int] = {}

    def __call__(self, cases: Iterable[Case]) -> list[Verdict]:
        cases = list(cases)
        self.calls.append([case.suite.name for case in cases])
        return [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        table = case.suite.name
        self.least_rows[table] = case.parameters["least_rows"]
        unmet = (
            [Unmet(sentence="It is liked", severity="critical", column="", count=0)] if table in self.refused else []
        )
        for column in ("unknown_item", "unknown_ours", "unknown_partner"):
            if column in case.rows.columns and (bad := case.rows.filter(pl.col(column).is_not_null())).height:
                samples = tuple(bad[column].to_list())
                rows = tuple(bad["row"].to_list())
                unmet.append(
                    Unmet(
                        sentence=column, severity="critical", column=column, count=len(rows), samples=samples, rows=rows
                    )
                )
        return Verdict(table=table, rows=case.rows.height, expectations=9, unmet=tuple(unmet))


def items(*ids: str) -> bytes:
    return (
        "item,description,base_unit,status,valid_from,valid_to\n" + "".join(f"{id},,EA,active,,\n" for id in ids)
    ).encode()


def references(*pairs: tuple[str, str]) -> bytes:
    lines = [f",item,{theirs},{ours},,\n" for theirs, ours in pairs]
    return ("partner,kind,theirs,ours,valid_from,valid_to\n" + "".join(lines)).encode()


class Loading:
    """A ledger, an archive and a judge, and loads through them."""

    def __init__(self, home: Path) -> None:
        self.ledger = FakeLedger()
        self.archive = Archive(home / "archive")
        self.home = home

    def load(self, source: ListSource, judge: Judge | None = None, suites: Path = SUITES) -> list[MasterLoad]:
        return load_master_data(
            CHANNEL,
            source,
            archive=self.archive,
            ledger=cast("Ledger", self.ledger),
            suites=suites,
            data_docs=self.home / "docs",
            judge=judge or Judge(),
        )


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    return Loading(tmp_path)


def test_a_good_table_is_archived_noted_put_in_force_and_let_go(loading: Loading) -> None:
    source = ListSource({"items.csv": items("P1", "P2")})
    assert loading.load(source) == [MasterLoad(table="items", version=1, rows=2, changed=True)]
    assert loading.ledger.tables["items"]["item"].to_list() == ["P1", "P2"]
    assert loading.ledger.in_status("translated") == ["items.csv"]
    assert source.settled == ["items.csv"]


def test_rows_and_files_may_come_through_one_channel(loading: Loading) -> None:
    columns = list(MASTER_TABLES["cross_references"])
    lines = [{"query": "cross_references", "columns": columns}, ["", "item", "V-1", "P1", None, None]]
    source = ListSource({"items.csv": items("P1"), "pull": "\n".join(map(json.dumps, lines)).encode()})
    assert [(load.table, load.version) for load in loading.load(source)] == [("items", 1), ("cross_references", 1)]


def test_idocs_are_parts_of_a_table_laid_over_one_another(loading: Loading) -> None:
    def materials(*ids: str) -> bytes:
        control = "<EDI_DC40><DOCNUM>1</DOCNUM><IDOCTYP>MATMAS05</IDOCTYP><MESTYP>MATMAS</MESTYP></EDI_DC40>"
        each = (f"<IDOC>{control}<E1MARAM><MATNR>{id}</MATNR><MEINS>KGM</MEINS></E1MARAM></IDOC>" for id in ids)
        return f"<MATMAS05>{''.join(each)}</MATMAS05>".encode()

    loading.load(ListSource({"items.csv": items("P1", "P2")}))
    source = ListSource({"1.xml": materials("0002", "P2"), "2.xml": materials("P3", "2")})
    assert [load.version for load in loading.load(source)] == [2]
    units = dict(loading.ledger.tables["items"].select("item", "base_unit").rows())
    assert units == {"P1": "EA", "2": "KGM", "P2": "KGM", "P3": "KGM"}
    assert source.settled == ["1.xml", "2.xml"]


def test_the_same_again_is_neither_judged_nor_a_new_version(loading: Loading) -> None:
    loading.load(ListSource({"items.csv": items("P1", "P2")}))
    judge = Judge()
    again = loading.load(ListSource({"items.csv": items("P2", "P1")}), judge)
    assert again == [MasterLoad(table="items", version=1, rows=2, changed=False)]
    assert judge.calls == []


def test_an_older_state_sent_again_is_a_new_version(loading: Loading) -> None:
    for content in (items("P1"), items("P1", "P2"), items("P1")):
        (load,) = loading.load(ListSource({"items.csv": content}))
    assert load.version == 3


def test_a_table_that_fails_leaves_the_version_in_force_and_says_why(loading: Loading) -> None:
    loading.load(ListSource({"items.csv": items("P1")}))
    source = ListSource({"items.csv": items("P2")})
    (load,) = loading.load(source, Judge("items"))
    assert (load.version, load.reasons) == (None, ("It is liked: not met",))
    assert loading.ledger.tables["items"]["item"].to_list() == ["P1"]
    assert loading.ledger.rejected() == [("items", load.reasons)]
    assert loading.ledger.findings[2][0].code == "master.unmet"
    assert source.settled == ["items.csv"]


class TestTogether:
    def test_a_new_reference_to_a_new_item_is_right(self, loading: Loading) -> None:
        source = ListSource({"cross_references.csv": references(("V-1", "P1")), "items.csv": items("P1")})
        assert [load.version for load in loading.load(source)] == [1, 1]

    def test_what_leaned_on_a_table_that_failed_is_judged_against_the_one_in_force(self, loading: Loading) -> None:
        loading.load(ListSource({"items.csv": items("P1")}))
        judge = Judge("items")
        source = ListSource({"cross_references.csv": references(("V-2", "P2")), "items.csv": items("P1", "P2")})
        held, refused = loading.load(source, judge)
        assert judge.calls == [["cross_references", "items"], ["cross_references"]]
        assert (held.version, refused.version) == (None, None)
        assert held.reasons == ("unknown_ours: 1 row, such as 'P2' (row 1)",)

    def test_what_did_not_lean_on_it_goes_in_force(self, loading: Loading) -> None:
        loading.load(ListSource({"items.csv": items("P1")}))
        source = ListSource({"cross_references.csv": references(("V-1", "P1")), "items.csv": items("P1", "P2")})
        assert [load.version for load in loading.load(source, Judge("items"))] == [1, None]

    def test_what_was_held_back_is_tried_again_when_what_it_leans_on_comes(self, loading: Loading) -> None:
        """The source sends a table again only when it changed there."""
        (held,) = loading.load(ListSource({"cross_references.csv": references(("V-1", "P1"))}))
        assert held.version is None
        loads = loading.load(ListSource({"items.csv": items("P1")}))
        assert [(load.table, load.version) for load in loads] == [("items", 1), ("cross_references", 1)]
        assert loading.ledger.in_status("quarantined") == []

    def test_what_is_still_wrong_is_not_said_twice(self, loading: Loading) -> None:
        loading.load(ListSource({"cross_references.csv": references(("V-1", "P1"))}))
        loads = loading.load(ListSource({"items.csv": items("P2")}))
        assert [load.table for load in loads] == ["items"]
        assert len(loading.ledger.rejected()) == 1
        assert loading.ledger.in_status("quarantined") == ["cross_references.csv"]

    def test_a_newer_good_load_lets_the_old_bad_one_rest(self, loading: Loading) -> None:
        loading.load(ListSource({"cross_references.csv": references(("V-1", "P1"))}))
        loading.load(
            ListSource({"cross_references-2.csv": b"partner,kind,theirs,ours,valid_from,valid_to\n,unit,ks,EA,,\n"})
        )
        loads = loading.load(ListSource({"items.csv": items("P1")}))
        assert [load.table for load in loads] == ["items"]

    def test_of_two_payloads_for_one_table_the_last_counts(self, loading: Loading) -> None:
        source = ListSource({"items-1.csv": items("P1"), "items-2.csv": items("P2")})
        assert [(load.table, load.version) for load in loading.load(source)] == [("items", 1)]
        assert loading.ledger.tables["items"]["item"].to_list() == ["P2"]
        assert loading.ledger.in_status("translated") == ["items-1.csv", "items-2.csv"]

    def test_references_left_pointing_at_nothing_are_a_warning(self, loading: Loading) -> None:
        loading.load(ListSource({"items.csv": items("P1", "P2"), "cross_references.csv": references(("V-2", "P2"))}))
        (load,) = loading.load(ListSource({"items.csv": items("P1")}))
        assert load.version == 2
        assert load.warnings == ("1 row of cross_references points to a row that is gone from items",)


def test_half_of_the_rows_in_force_must_come_again(loading: Loading) -> None:
    loading.load(ListSource({"items.csv": items("P1", "P2", "P3")}))
    judge = Judge()
    loading.load(ListSource({"items.csv": items("P1")}), judge)
    assert judge.least_rows == {"items": 2}


def test_a_payload_that_cannot_be_read_stops_no_other(loading: Loading) -> None:
    source = ListSource(
        {"colours.csv": b"x", "items.csv": b"item\nP1\n", "sites.csv": b"\xff\xfe", "pull": b"{", "units.csv": b""}
    )
    source.payloads["partners.csv"] = b"partner,name,country,duns,gln,valid_from,valid_to\nACME,Acme,DE,,,,\n"
    loads = loading.load(source)
    assert [(load.table, load.version) for load in loads] == [
        ("colours.csv", None),
        ("items", None),
        ("sites", None),
        ("pull", None),
        ("units", None),
        ("partners", 1),
    ]
    assert all(load.reasons for load in loads[:-1])
    assert [table for table, _ in loading.ledger.rejected()] == ["items", "sites", "units"]
    assert loading.ledger.in_status("quarantined") == ["colours.csv", "items.csv", "sites.csv", "pull", "units.csv"]
    assert source.payloads == {}


def test_a_source_that_breaks_is_not_let_go_of(loading: Loading) -> None:
    source = ListSource({"items.csv": items("P1")}, broken=True)
    with pytest.raises(TransientError):
        loading.load(source)
    assert source.settled == []
    assert loading.ledger.versions == {}


def test_a_missing_suite_is_a_matter_of_configuration_and_loses_nothing(loading: Loading, tmp_path: Path) -> None:
    source = ListSource({"items.csv": items("P1")})
    with pytest.raises(ConfigError, match=r"items\.json: cannot be read"):
        loading.load(source, suites=tmp_path)
    assert source.settled == []


def test_master_data_in_force_is_read_again_only_when_it_changed(loading: Loading) -> None:
    ledger = cast("Ledger", loading.ledger)
    before = master_in_force(ledger)
    assert master_in_force(ledger) is before
    loading.load(ListSource({"items.csv": items("P1")}))
    after = master_in_force(ledger)
    assert after.look_up("item", pl.Series([""]), pl.Series(["P1"])).to_list() == ["P1"]
    assert master_in_force(ledger) is after
