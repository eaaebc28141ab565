"""Whatever the rules: no way out of the house shows a word that the rules withhold.

Every text field of every event holds a word of its own that names its partner, kind and field. Whatever a viewer asks
for, by API, pages, files, live or through an outlet, may hold only words of events as its view shows them.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.archive import Archive
from connectors.outlet import Outlet
from crossdock.console.pages import routes
from crossdock.console.workplace import Workplace
from crossdock.feed import tables
from crossdock.feed.app import feed_app
from crossdock.feed.bell import Bell
from crossdock.feed.events import Asked, live
from crossdock.feed.service import Service
from crossdock.ledger import Ledger, StoredEvent
from crossdock.publish import publish_outlet
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened
from crossdock.visibility import View, Viewer, Visibility, load_rules
from crossdock.visibility.rules import OPTIONAL, Audience, Insight, Sights
from mappings.normalise import empty_events
from mappings.spec import Partner
from schemas.documents import DocumentStart
from schemas.events import Stream

from .conftest import PARTNERS, PLAIN, TIERS, event, every_event
from .test_view import sights

TOKEN = "correct-horse-battery"
WORD = re.compile(r"word-[a-z_]+-[A-Z]+-[a-z_]+")
MEDIA = (tables.JSON, tables.JSON_LINES, tables.CSV, tables.PARQUET, tables.XLSX)
PATHS = (
    *("/v1/events?limit=1000", "/v1/state/demand?limit=1000", "/v1/state/inventory?limit=1000"),
    *("/v1/state/shipments?limit=1000", "/v1/forecast?item=P-100", "/v1/supply/P-100/N1", "/v1/documents"),
    *("/v1/partners", "/v1/export.xlsx", "/v1/export.csv", "/v1/export.parquet"),
)


def worded() -> list[StoredEvent]:
    made = []
    for one in every_event():
        text = sorted(OPTIONAL[Stream(one.stream)] - set(PLAIN))
        words = {name: f"word-{one.kind}-{one.partner}-{name}" for name in text}
        changes = [{"field": name, "before": word, "after": "new"} for name, word in words.items()]
        words |= {"changes": changes} if one.stream == "demand" else {}
        made.append(event(one.stream, one.kind, one.partner, position=one.position, **words))
    return made


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Holds those events, a document of each partner's."""
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('words')}/ledger.db") as opened:
        for number, partner in enumerate(PARTNERS, start=1):
            _store(opened, number, partner, [one for one in worded() if one.partner == partner])
        yield opened


def _store(ledger: Ledger, number: int, partner: str, events: Sequence[StoredEvent]) -> None:
    columns = ("stream", "kind", "subject", "time", "partner", "item", "site", "data")
    rows = [
        {name: getattr(one, name) for name in columns}
        | {"id": f"{one.position:032x}", "fingerprint": f"{one.position:016x}"}
        | {"line": line}
        for line, one in enumerate(events, start=1)
    ]
    table = pl.DataFrame(rows, schema=empty_events().schema)
    sha256, now = f"{number:064x}", datetime.now(UTC)
    payload = ledger.record_payload(
        sha256=sha256, size=1, channel="edi", key=partner, name=partner, received_at=now, metadata={}
    )
    start = DocumentStart(ordinal=1, type="x12.850")
    document = Document(
        id=f"doc-{partner}", payload=sha256, start=start, partner=partner, mapping="m", mapping_version="1"
    )
    closed = DocumentClosed(document=document, status="accepted", lines=len(rows), events=len(rows), parked=0)
    lines = DocumentLines(lines=table, events=table, parked=pl.DataFrame())
    ledger.store(payload.id, [DocumentOpened(document=document), lines, closed])


class Hole:
    """A sink that keeps what it is handed."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def deliver(self, events: Sequence[bytes]) -> None:
        self.got += events

    def close(self) -> None: ...


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(data=st.data(), walled=st.booleans())
def test_no_path_shows_what_the_rules_withhold(
    ledger: Ledger, tmp_path_factory: pytest.TempPathFactory, data: Any, walled: bool
) -> None:
    ours, theirs = ({stream.value: data.draw(sights(stream)) for stream in Stream} for _ in range(2))
    shipped = load_rules()
    rules = shipped.model_copy(
        update={
            "audiences": {**shipped.audiences, "planner": Insight(**ours, firewall=walled)},
            "tiers": {**shipped.tiers, "strategic": Sights(**theirs)},
        }
    )
    visibility = Visibility(rules, tier=lambda partner, _: TIERS.get(partner), supplies=lambda _: {"P-100"})
    partners = {name: Partner.model_validate({"partner": name, "tier": tier}) for name, tier in TIERS.items()}
    service = Service(ledger=ledger, visibility=visibility, partners=partners)
    for audience, partner in ((Audience.PLANNER, ""), (Audience.SUPPLIER, "ANVILGATE")):
        ends = datetime.now(UTC) + timedelta(days=1)
        who = {"name": "somebody", "audience": audience.value, "partner": partner}
        token = ledger.tokens.new(**who, expires_at=ends, per_minute=100_000, by="test")
        view = visibility.view(Viewer(audience=audience, partner=partner, name="somebody"))
        allowed = {word for one in worded() if (seen := view.event(one)) for word in WORD.findall(seen.data)}
        place = tmp_path_factory.mktemp("archive")
        shown: set[str] = set()
        for path, said in _every_way_out(service, view, token, audience, place):
            words = set(WORD.findall(said))
            assert words <= allowed, (audience, path)
            assert partner == "" or not re.search("BRIGHTSEAL|FENWICK", said), path
            shown |= words
        assert shown == allowed  # all of that is shown somewhere, or this test would see nothing


def _every_way_out(
    service: Service, view: View, token: str, audience: Audience, archive: Path
) -> Iterator[tuple[str, str]]:
    """Path and all that was said there."""
    unused = dict.fromkeys(("library", "context", "release", "translate"), _never)
    workplace = Workplace(service=service, archive=Archive(archive), partners=archive, data_docs=archive, **unused)
    app = feed_app(service, TOKEN, routes(workplace))
    pages = ["/supplier", "/supplier/documents/doc-ANVILGATE"]
    if audience is not Audience.SUPPLIER:
        pages = [
            "/supply",
            "/supply/P-100/N1",
            "/events",
            "/events?item=P-100",
            *(f"/events/{one}" for one in range(1, len(worded()) + 1)),
        ]
    asked = [(path, media) for path in PATHS for media in (MEDIA if "export" not in path else MEDIA[:1])]
    yield from asyncio.run(_ask(app, token, [*asked, *((page, "text/html") for page in pages)]))
    yield "live", asyncio.run(_live(service.ledger, view))
    hole = Hole()
    sees = {"audience": audience.value} | ({"partner": view.partner} if view.partner else {})
    outlet = Outlet.model_validate({"outlet": "hole", "sink": {"kind": "folder", "path": "x"}, "sees": sees})
    service.ledger.backfill_sink("hole", 0)
    publish_outlet(outlet, hole, ledger=service.ledger, view=view)
    yield "outlet", b"".join(hole.got).decode()


async def _ask(app: Any, token: str, asked: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    told = []
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dock") as client:
        for path, media in asked:
            headers = {"Authorization": f"Bearer {token}", "Accept": media}
            answer = await client.get(path, headers=headers)
            assert answer.status_code in (200, 404), (path, answer.text)
            told.append((f"{path} as {media}", _as_text(answer)))
    return told


def _as_text(answer: httpx.Response) -> str:
    match answer.headers["content-type"]:
        case tables.PARQUET:
            return json.dumps(pl.read_parquet(io.BytesIO(answer.content)).to_dicts())
        case tables.XLSX:
            book = openpyxl.load_workbook(io.BytesIO(answer.content))
            return json.dumps([list(map(str, row)) for sheet in book for row in sheet.iter_rows(values_only=True)])
        case _:
            return answer.text


async def _live(ledger: Ledger, view: View) -> str:
    """What follows live until there is nothing new."""
    said = []
    stream = live(ledger, Asked(limit=1000), lambda: view, Bell(ledger))
    try:
        while True:
            said.append(await asyncio.wait_for(anext(stream), 0.2))
    except TimeoutError:
        return b"".join(said).decode()


def _never(*_: object) -> Any:
    raise AssertionError("these pages do not need it")
