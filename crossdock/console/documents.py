"""The Documents pages: found by anything that stands on them; one with its bytes, lines, events, answers and life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from crossdock.console.raw import Raw, raw_of
from crossdock.console.workplace import Workplace
from crossdock.ledger.corrections import Difference
from crossdock.ledger.runs import AirflowRun
from crossdock.ledger.searching import Only
from crossdock.ledger.selecting import Selection
from crossdock.mending.replay import Replayed, preview, replay
from crossdock.uploads import CHANNEL

MOST = 100  #: documents of a search
FINDINGS = 500
EVENTS = 200
LINES = 200
_SHORTEST = 3  #: characters by which an item is found
_ITEMS = 200
DIFFERENCES = 200

Row = Mapping[str, Any]


def found(
    place: Workplace, text: str, only: Only, run: AirflowRun | None = None, before: int | None = None
) -> list[dict[str, Any]]:
    """Documents that ``text`` stands on; also as part of what an item of ours is called, by us or by a partner."""
    ledger = place.service.ledger
    if text:
        ledger.spans.follow(seconds=0.2)  # items are found by them
    items = ours(place, text)
    return ledger.searching.documents(text, items=items, only=only, run=run, before=before, limit=MOST)


def ours(place: Workplace, text: str) -> list[str]:
    """Our items that ``text`` is part of: of our number, of its description or of how somebody calls it."""
    import polars as pl

    if len(text) < _SHORTEST:
        return []
    tables = place.service.ledger.master()
    found: list[str] = []
    if (items := tables.get("items")) is not None:
        called = _holds(items, "item", text) | _holds(items, "description", text)
        found += items.filter(called)["item"].to_list()
    if (references := tables.get("cross_references")) is not None:
        items_of = references.filter(pl.col("kind") == "item")
        found += items_of.filter(_holds(items_of, "theirs", text))["ours"].to_list()
    return list(dict.fromkeys(found))[:_ITEMS]


def called(place: Workplace, items: Sequence[str]) -> dict[str, str]:
    """How our master data describe these items; those without a description are left out."""
    table = place.service.ledger.master().get("items")
    if table is None or "description" not in table.columns:
        return {}
    rows = table.filter(table["item"].is_in(items)).select("item", "description").drop_nulls().rows()
    return {item: description for item, description in rows if description}


def _holds(table: Any, column: str, text: str) -> Any:
    import polars as pl

    if column not in table.columns:
        return pl.lit(False)
    return pl.col(column).fill_null("").str.to_lowercase().str.contains(text.lower(), literal=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """Everything that is known of one document."""

    row: Row
    payload: Any  #: PayloadRecord
    findings: Sequence[Row]
    raw: Raw
    parked: Sequence[Row]
    events: Sequence[Row]
    answers: Sequence[Row]
    timeline: Sequence[tuple[str, datetime]]
    airflow_run: str

    def found(self, line: Row) -> str | None:
        """The value for which a parked line waits; None where there is none."""
        same = (one for one in self.findings if one["line"] == line["line"] and one["code"] == line["cause"])
        return next((one["value"] for one in same), None)

    @property
    def count(self) -> int:
        """How many events it gave."""
        return int(self.row["demand"] + self.row["shipment"] + self.row["inventory"])


def document_page(place: Workplace, document: str) -> DocumentPage | None:
    """None where there is no such document."""
    ledger = place.service.ledger
    rows = ledger.spans.documents(document=document, limit=20)
    row = next((one for one in rows if one.get("replaced_by") is None), rows[0] if rows else None)
    if row is None:
        return None
    payload = ledger.payload(row["payload_id"])
    findings = ledger.findings(document=document, payload=row["payload_id"], limit=FINDINGS)
    following = [
        one["byte_offset"]
        for one in ledger.documents(payload=row["payload_id"], limit=10_000)
        if one["byte_offset"] is not None and one["byte_offset"] > (row["byte_offset"] or 0)
    ]
    raw = raw_of(
        place.archive,
        payload.sha256,
        row["byte_offset"] or 0,
        min(following, default=payload.size),
        findings,
        sheet=row["attributes"].get("sheet"),
    )
    answers = ledger.answers_of(row["payload_id"], row["functional_group"], row["ordinal"])
    return DocumentPage(
        row=row,
        payload=payload,
        findings=findings,
        raw=raw,
        parked=ledger.searching.parked_of(document, limit=LINES),
        events=ledger.searching.events_of(document, limit=EVENTS),
        answers=answers,
        timeline=sorted(_timeline(payload, rows, answers, _left(place, rows)), key=lambda step: step[1]),
        airflow_run=_run(place, row),
    )


def _timeline(
    payload: Any, rows: Sequence[Row], answers: Sequence[Row], left: Mapping[str, datetime]
) -> list[tuple[str, datetime]]:
    steps = [("received", payload.received_at)]
    for number, row in enumerate(reversed(rows)):
        again = " again" if number else ""
        steps += [(f"read{again}", row["read_at"]), (f"{row['status'].replace('_', ' ')}{again}", row["stored_at"])]
    steps += [(f"{one['kind']} sent as {one['name']}", one["sent_at"]) for one in answers if one["sent_at"]]
    return steps + [(f"handed to the outlet {sink}", at) for sink, at in left.items()]


def _left(place: Workplace, rows: Sequence[Row]) -> dict[str, datetime]:
    """When each outlet had got the last of the document's events."""
    last = max((row["last_position"] for row in rows if row["last_position"] is not None), default=None)
    if last is None:
        return {}
    return {sink: at for sink, at in place.service.ledger.searching.delivered(last).items() if at is not None}


def _run(place: Workplace, row: Row) -> str:
    """The address in Airflow of the run that read this document, or of its channel's DAG where a command did."""
    if not place.airflow or row["channel"] == CHANNEL:
        return ""
    run = place.service.ledger.searching.run_of(row["payload_id"])
    return address_of(place, run) if run is not None else f"{place.airflow}/dags/inbound_{row['channel']}"


def address_of(place: Workplace, run: AirflowRun) -> str:
    """Where Airflow shows the run; empty where nobody has said where Airflow is."""
    return f"{place.airflow}/dags/{quote(run.dag)}/runs/{quote(run.run)}" if place.airflow else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPage:
    """What reading a document again would change."""

    row: Row
    differences: Sequence[Difference]
    total: Replayed


def replay_page(place: Workplace, document: str) -> ReplayPage | None:
    """A preview: nothing is written. Raises TransientError while there is no master data."""
    ledger = place.service.ledger
    rows = ledger.spans.documents(document=document, limit=1)
    if not rows:
        return None
    total = Replayed()
    differences = preview(
        Selection(documents=(document,)), archive=place.archive, ledger=ledger, context=place.context(), total=total
    )
    shown = list(islice(differences, DIFFERENCES))
    for _ in differences:  # counted all the same
        pass
    return ReplayPage(row=rows[0], differences=shown, total=total)


def read_again(place: Workplace, document: str, reason: str) -> Replayed:
    """Publish what the preview says."""
    return replay(
        Selection(documents=(document,)),
        archive=place.archive,
        ledger=place.service.ledger,
        context=place.context(),
        reason=reason,
    )
