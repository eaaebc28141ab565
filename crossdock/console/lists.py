"""Lists to leaf through, each narrowed by what its form says: documents, files, answers, events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from crossdock.console import documents, files
from crossdock.console.rendering import Leaf, Rendering
from crossdock.console.workplace import Workplace
from crossdock.feed.access import viewer_of
from crossdock.feed.events import LAST
from crossdock.ledger import PayloadRecord
from crossdock.ledger.answers import states
from crossdock.ledger.runs import AirflowRun
from crossdock.ledger.searching import STREAMS, Only
from crossdock.ledger.spans import Wanted
from schemas.errors import PermanentError

MOST = 100  #: rows of a page

Id = Annotated[int, Path(ge=1, le=LAST)]
Before = Annotated[int | None, Query(ge=1, le=LAST)]


def routes(place: Workplace, rendering: Rendering) -> APIRouter:
    """The lists, and the page of one file."""
    router = APIRouter()
    lists = _Lists(place, rendering)
    router.get("/documents")(lists.documents)
    router.get("/files")(lists.files)
    router.get("/files/{id}")(lists.file)
    router.get("/answers")(lists.answers)
    router.get("/events")(lists.events)
    return router


class _Lists:
    def __init__(self, place: Workplace, rendering: Rendering) -> None:
        self._place = place
        self._ledger = place.service.ledger
        self._rendering = rendering

    def documents(
        self, request: Request, q: str = "", *, hour: str = "", since: str = "", file: int | None = None,
        came: bool = False, dag: str = "", run: str = "", before: Before = None,
    ) -> HTMLResponse:  # fmt: skip
        text, at, begin = q.strip()[:200], _instant(hour), _instant(since)
        chosen = _given(request, "partner", "type", "status", "channel", "stream")
        of_run = AirflowRun(dag, run) if dag and run else None
        only = Only(**chosen, hour=at, since=begin, file=file, came=came)
        rows = documents.found(self._place, text, only, of_run, before)
        nameless = self._ledger.browsing.files(text=text, without_documents=True, limit=10) if text else []
        return self._rendering.page(
            request, "documents.html", rows=rows, text=text, chosen=chosen, hour=at, since=begin, nameless=nameless,
            came=came, file=self._file(file) if file else None, states=files.STATES,
            known={name: sorted({*(row[name] for row in rows), chosen[name]} - {""}) for name in _OF_ROWS}
            | {"partner": sorted({*self._place.library().partners, chosen["partner"]} - {""})},
            shown=Leaf.of(request, rows[-1]["id"] if len(rows) >= documents.MOST else None),
            run=of_run, run_at=documents.address_of(self._place, of_run) if of_run else "",
        )  # fmt: skip

    def files(self, request: Request, q: str = "", *, since: str = "", before: Before = None) -> HTMLResponse:
        text, chosen, begin = q.strip()[:200], _given(request, "channel", "status"), _instant(since)
        rows = self._ledger.browsing.files(
            text=text, channel=chosen["channel"], status=chosen["status"], since=begin, before=before, limit=MOST
        )
        channels = sorted({*(row["channel"] for row in rows), chosen["channel"]} - {""})
        shown = Leaf.of(request, rows[-1]["id"] if len(rows) >= MOST else None)
        return self._rendering.page(
            request, "files.html", rows=rows, text=text, chosen=chosen, channels=channels, states=files.STATES,
            shown=shown, since=begin,
        )  # fmt: skip

    def file(self, request: Request, id: Id) -> HTMLResponse:
        page = files.file_page(self._place, self._file(id))
        return self._rendering.page(request, "file.html", page=page, states=files.STATES, most=files.WITHIN)

    def _file(self, id: int) -> PayloadRecord:
        try:
            return self._ledger.payload(id)
        except PermanentError:
            raise HTTPException(404, f"There is no file {id}.") from None

    def answers(self, request: Request, *, before: Before = None) -> HTMLResponse:
        chosen = _given(request, "partner", "kind", "state")
        if chosen["state"] not in states():
            chosen["state"] = ""
        rows = self._ledger.browsing.answers(**chosen, before=before, limit=MOST)
        known = self._ledger.answer_summary()
        return self._rendering.page(
            request, "answers.html", rows=rows, chosen=chosen, states=list(states()), now=datetime.now(UTC),
            partners=sorted({row["partner"] for row in known}), kinds=sorted({row["kind"] for row in known}),
            shown=Leaf.of(request, rows[-1]["id"] if len(rows) >= MOST else None),
        )  # fmt: skip

    def events(
        self, request: Request, *, after: Annotated[int, Query(ge=0, le=LAST)] = 0, before: Before = None
    ) -> HTMLResponse:
        view = self._place.service.visibility.view(viewer_of(request))
        chosen = _given(request, "item", "site", "partner", "stream")
        asked = {name: value or None for name, value in chosen.items() if name != "stream"}
        wanted = Wanted(streams=[chosen["stream"]] if chosen["stream"] else None, **asked)
        if wanted.narrows:
            self._ledger.spans.follow()
        found = self._ledger.browsing.events(wanted, after=after, before=before, limit=MOST)
        return self._rendering.page(
            request, "events.html", chosen=chosen, streams=STREAMS, after=after,
            rows=[(event, msgspec.json.decode(event.data)) for event in view.events(found)],
            shown=Leaf.of(request, found[-1].position if len(found) >= MOST else None),
        )  # fmt: skip


_OF_ROWS = ("type", "channel")


def _given(request: Request, *names: str) -> dict[str, str]:
    asked: Mapping[str, str] = request.query_params
    return {name: asked.get(name, "").strip()[:200] for name in names}


def _instant(written: str) -> datetime | None:
    """What an address names, such as the hour ``2026-03-01T08Z``; None where it names none."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
