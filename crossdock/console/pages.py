"""The console's routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse

from crossdock.console import (
    data_docs,
    documents,
    event_page,
    forms,
    headers,
    lists,
    mail,
    outlets,
    own,
    parked,
    partners,
    supply_page,
)
from crossdock.console.charts import hours_chart
from crossdock.console.dock_page import dock_page
from crossdock.console.rendering import Rendering
from crossdock.console.workplace import Workplace
from crossdock.feed.access import viewer_of
from crossdock.feed.events import LAST
from crossdock.views.display import count
from crossdock.views.headers import in_short
from crossdock.visibility import Audience
from schemas.errors import ConfigError, PermanentError, TransientError

HOURS = timedelta(hours=48)
Number = Annotated[int, Path(ge=1, le=LAST)]


def routes(workplace: Workplace, rendering: Rendering | None = None) -> APIRouter:
    """Every page, and the forms on them."""
    router = APIRouter(include_in_schema=False)
    pages = _Pages(workplace, rendering or Rendering(workplace.service.zone))
    for path, page in (
        ("/", pages.dock),
        ("/documents/{document}", pages.document),
        ("/documents/{document}/replay", pages.replay),
        ("/parked", pages.parked),
        ("/headers", pages.headers),
        ("/headers/{payload}", pages.header),
        ("/mail", pages.mail),
        ("/supply", pages.supply),
        ("/supply/{item}/{site}", pages.supply_of),
        ("/events/{position}", pages.event),
        ("/outlets", pages.outlets),
        ("/outlets/{name}", pages.outlet),
        ("/partners", pages.partners),
        ("/partners/{name}", pages.partner),
        ("/supplier", pages.own),
        ("/supplier/documents/{document}", pages.own_document),
    ):
        router.get(path)(page)
    router.include_router(lists.routes(workplace, pages.rendering))
    router.include_router(data_docs.routes(workplace.data_docs, pages.rendering))
    router.post("/documents/{document}/replay")(pages.read_again)
    router.post("/outlets/{name}")(pages.act_on_outlet)
    router.post("/parked/fix")(pages.fix)
    router.post("/parked/reject")(pages.reject)
    router.post("/headers/{payload}")(pages.confirm_header)
    router.post("/mail/release")(pages.release_mail)
    router.post("/mail/reject")(pages.reject_mail)
    return router


class _Pages:
    """A method for each route; each gathers its page and renders its template."""

    def __init__(self, workplace: Workplace, rendering: Rendering) -> None:
        self._place = workplace
        self._service = workplace.service
        self.rendering = rendering

    def dock(self, request: Request) -> HTMLResponse:
        ledger, now = self._service.ledger, self._service.now()
        quiet = [one for one in partners.standings(self._place, now) if one.quiet]
        until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # the same picture for an hour
        hours = ledger.searching.hours(until - HOURS)
        return self._page(
            request,
            "dock.html",
            page=dock_page(ledger, now, quiet=quiet),
            chart=hours_chart(hours, "Payloads by hour in the last two days", since=until - HOURS, until=until)
            if hours
            else "",
        )

    # -- documents --------------------------------------------------------------------------------

    def document(self, request: Request, document: str) -> HTMLResponse:
        page = documents.document_page(self._place, document)
        if page is None:
            raise HTTPException(404, f"There is no document {document}.")
        return self._page(request, "document.html", page=page)

    def replay(self, request: Request, document: str) -> HTMLResponse:
        page = documents.replay_page(self._place, document)
        if page is None:
            raise HTTPException(404, f"There is no document {document}.")
        return self._page(request, "replay.html", page=page)

    async def read_again(self, request: Request, document: str) -> RedirectResponse:
        given = await forms.fields_of(request)
        reason = given.get("reason", "")
        back = f"/documents/{document}"
        if not reason:
            return forms.back_to(f"{back}/replay", failed="Please say why; the audit trail keeps it.")

        def act() -> str:
            with forms.done_by(request):
                done = documents.read_again(self._place, document, reason)
            return f"Read again: {count(done.published, 'event')} published, {count(done.released, 'line')} released."

        return await self._acted(act, back)

    # -- parked -----------------------------------------------------------------------------------

    def parked(
        self, request: Request, partner: str = "", code: str = "", value: str = "", channel: str = ""
    ) -> HTMLResponse:
        page = parked.parked_page(self._place, partner=partner, code=code, value=value, channel=channel)
        proposed = parked.proposals(self._place, page.opened) if page.opened is not None and page.opened.kind else {}
        return self._page(request, "parked.html", page=page, proposed=proposed, most=parked.MOST)

    async def fix(self, request: Request) -> RedirectResponse:
        given = await forms.fields_of(request)

        def act() -> str:
            with forms.done_by(request) as who:
                return parked.fix(self._place, given, who)

        return await self._acted(act, "/parked", failed_at=_opened(given))

    async def reject(self, request: Request) -> RedirectResponse:
        given = await forms.fields_of(request)

        def act() -> str:
            with forms.done_by(request):
                return parked.give_back(self._place, given)

        return await self._acted(act, "/parked", failed_at=_opened(given))

    # -- a person's word on headers and mails ---------------------------------------------------------

    def headers(self, request: Request) -> HTMLResponse:
        return self._page(request, "headers.html", found=headers.changed(self._place), in_short=in_short)

    def header(self, request: Request, payload: Number) -> HTMLResponse:
        try:
            found = headers.changed_in(self._place, payload)
        except (ConfigError, PermanentError) as error:
            raise HTTPException(404, error.message) from None
        file = self._service.ledger.payload(payload).name
        told = {"found": found, "file": file, "rows": headers.rows, "prefix": headers.FIELD}
        return self._page(request, "header.html", **told)

    async def confirm_header(self, request: Request, payload: Number) -> RedirectResponse:
        given = await forms.fields_of(request)

        def act() -> str:
            with forms.done_by(request):
                return headers.confirm(self._place, payload, given)

        return await self._acted(act, "/headers", failed_at=f"/headers/{payload}")

    def mail(self, request: Request) -> HTMLResponse:
        return self._page(request, "mail.html", page=mail.mail_page(self._place))

    async def release_mail(self, request: Request) -> RedirectResponse:
        return await self._with_mail(request, mail.release)

    async def reject_mail(self, request: Request) -> RedirectResponse:
        return await self._with_mail(request, mail.reject)

    async def _with_mail(
        self, request: Request, what: Callable[[Workplace, Mapping[str, str]], str]
    ) -> RedirectResponse:
        given = await forms.fields_of(request)

        def act() -> str:
            with forms.done_by(request):
                return what(self._place, given)

        return await self._acted(act, "/mail")

    # -- supply -----------------------------------------------------------------------------------

    def supply(self, request: Request, q: str = "") -> HTMLResponse:
        search, view = q.strip()[:200], self._service.visibility.view(viewer_of(request))
        items = documents.ours(self._place, search)
        found = supply_page.places(self._service, view, search, items, after=request.query_params)
        called = documents.called(self._place, [row.item for row in found.rows])
        return self._page(request, "supply.html", found=found, search=search, called=called)

    def supply_of(self, request: Request, item: str, site: str) -> HTMLResponse:
        view = self._service.visibility.view(viewer_of(request))
        page = supply_page.supply_page(self._service, view, item, site)
        if page is None:
            raise HTTPException(404, f"Nothing is known of {item} at {site}.")
        return self._page(request, "supply_of.html", page=page, called=documents.called(self._place, [item]))

    def event(self, request: Request, position: Number) -> HTMLResponse:
        view = self._service.visibility.view(viewer_of(request))
        page = event_page.event_page(self._service, view, position)
        if page is None:
            raise HTTPException(404, f"There is no event at position {position}.")
        return self._page(request, "event.html", page=page)

    # -- partners ---------------------------------------------------------------------------------

    def partners(self, request: Request) -> HTMLResponse:
        return self._page(request, "partners.html", rows=partners.standings(self._place))

    def partner(self, request: Request, name: str) -> HTMLResponse:
        page = partners.partner_page(self._place, name)
        if page is None:
            raise HTTPException(404, f"There is no partner {name}.")
        return self._page(request, "partner.html", page=page)

    # -- outlets ----------------------------------------------------------------------------------

    def outlets(self, request: Request) -> HTMLResponse:
        return self._page(request, "outlets.html", rows=outlets.standings(self._place))

    def outlet(self, request: Request, name: str) -> HTMLResponse:
        page = outlets.outlet_page(self._place, name)
        if page is None:
            raise HTTPException(404, f"There is no outlet {name}.")
        return self._page(request, "outlet.html", page=page, most=outlets.LETTERS)

    async def act_on_outlet(self, request: Request, name: str) -> RedirectResponse:
        given = await forms.fields_of(request)

        def act() -> str:
            with forms.done_by(request):
                return outlets.act(self._place, name, given)

        return await self._acted(act, f"/outlets/{quote(name)}")

    # -- suppliers --------------------------------------------------------------------------------

    def own(self, request: Request) -> HTMLResponse:
        view = self._service.visibility.view(viewer_of(request))
        _require_supplier(request)
        return self._page(request, "own.html", page=own.own_page(self._service, view))

    def own_document(self, request: Request, document: str) -> HTMLResponse:
        view = self._service.visibility.view(viewer_of(request))
        _require_supplier(request)
        row = own.own_document(self._service, view, document)
        if row is None:
            raise HTTPException(404, f"There is no document {document}.")
        return self._page(request, "own_document.html", row=row)

    async def _acted(self, act: Callable[[], str], back: str, *, failed_at: str = "") -> RedirectResponse:
        """Do it off the event loop, then back to the page with what was done or what was wrong.

        Whatever was done, outlets may have something to do.
        """
        try:
            said = await run_in_threadpool(act)
        except (ConfigError, TransientError) as error:
            problems = getattr(error, "problems", ())
            told = "; ".join(problems) if problems else str(error)
            return forms.back_to(failed_at or back, failed=told)
        self._place.leave_word()
        return forms.back_to(back, said=said)

    def _page(self, request: Request, name: str, **told: Any) -> HTMLResponse:
        return self.rendering.page(request, name, **told)


def _opened(given: Any) -> str:
    """The Parked page with the cause of a form opened."""
    from urllib.parse import urlencode

    asked = {name: given.get(name, "") for name in ("partner", "code", "value")}
    return f"/parked?{urlencode(asked)}"


def _require_supplier(request: Request) -> None:
    if viewer_of(request).audience is not Audience.SUPPLIER:
        raise HTTPException(403, "This page is a supplier's own; /partners shows every partner.")
