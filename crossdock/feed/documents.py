"""Documents and partners over HTTP: what came in, what was wrong with it, and a way to hand something over."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from crossdock.feed.access import viewer_of
from crossdock.feed.events import Text
from crossdock.feed.examples import DOCUMENT, FINDING
from crossdock.feed.service import Service
from crossdock.feed.tables import CSV, JSON, preferred, rendered, table
from crossdock.ledger import Ledger
from crossdock.visibility import Audience, View, Viewer

_encode = msgspec.json.Encoder(decimal_format="string").encode
_DOCUMENT_COLUMNS = (
    *("document", "type", "version", "partner", "sender", "receiver", "control_number", "status", "name", "location"),
    *("stored_at", "lines", "unchanged", "parked", "infos", "warnings", "errors", "demand", "shipment", "inventory"),
)
_UPLOADS = ("x12", "edifact", "workbook", "xml")  #: formats that may be handed over: not pulls of an ERP
_MAY_UPLOAD = frozenset({Audience.SUPPLIER, Audience.INTEGRATION})


class Asked(BaseModel):
    """What may be asked of documents; a parameter of another name is refused."""

    model_config = ConfigDict(extra="forbid")

    partner: Text | None = Field(None, description="Only of this partner.")
    status: Text | None = Field(None, description="Only of this verdict: accepted, accepted_with_errors, rejected.")
    limit: int = Field(100, ge=1, le=1000, description="At most so many, the newest first.")


def _lists(name: str, example: Any) -> dict[int | str, dict[str, Any]]:
    schema = {
        "type": "object",
        "required": [name],
        "properties": {name: {"type": "array", "items": {"type": "object"}}},
    }
    content = {JSON: {"schema": schema, "example": {name: [example]}}, CSV: {"schema": {"type": "string"}}}
    return {200: {"description": "As far as who asks may see them.", "content": content}}


_ONE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document, and everything that was found in it, as far as who asks may see it.",
        "content": {
            JSON: {
                "schema": {"type": "object", "required": ["document", "status", "findings"]},
                "example": DOCUMENT | {"findings": [FINDING]},
            }
        },
    },
    404: {"description": "There is no such document, or it is none of who asks."},
}
_TAKEN: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "It was taken in and judged: its documents, and everything that was found wrong, at once.",
        "content": {
            JSON: {
                "schema": {"type": "object", "required": ["payload", "status", "documents", "findings"]},
                "example": {"payload": 7, "status": "translated", "documents": [DOCUMENT], "findings": [FINDING]},
            }
        },
    },
    413: {"description": "It is too large."},
    415: {"description": "It is of no format that may be handed over."},
}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def routes(service: Service) -> APIRouter:
    """Documents, partners and uploads."""
    router = APIRouter(prefix="/v1", tags=["documents"])
    ledger = service.ledger

    @router.get("/documents", response_class=Response, responses=_lists("documents", DOCUMENT), summary="What came in")
    def documents(
        request: Request, asked: Annotated[Asked, Query()], accept: Annotated[str, Header()] = JSON
    ) -> Response:
        view = service.visibility.view(viewer_of(request))
        rows = documents_seen(ledger, view, partner=asked.partner, status=asked.status, limit=asked.limit)
        if preferred(accept, (JSON, CSV)) == CSV:
            return Response(rendered(table(rows, _DOCUMENT_COLUMNS), CSV), media_type=CSV)
        return Response(_encode({"documents": rows}), media_type=JSON)

    @router.get(
        "/documents/{document}", response_class=Response, summary="One document with its findings", responses=_ONE
    )
    def document(request: Request, document: Text) -> Response:
        view = service.visibility.view(viewer_of(request))
        found = document_seen(ledger, view, document)
        if found is None:
            raise HTTPException(404, f"There is no document {document}.")
        return Response(_encode(found), media_type=JSON)

    @router.get(
        "/partners",
        response_class=Response,
        responses=_lists("partners", {"partner": "ANVILGATE", "name": "Anvilgate Castings", "tier": "strategic"}),
        summary="Partners and their tiers",
    )
    def partners(request: Request, accept: Annotated[str, Header()] = JSON) -> Response:
        view = service.visibility.view(viewer_of(request))
        rows = [
            {"partner": name, "name": partner.name, "tier": partner.tier_on(service.visibility.today())}
            for name, partner in sorted(service.partners_of_now().items())
            if view.is_partner_seen(name)
        ]
        if preferred(accept, (JSON, CSV)) == CSV:
            return Response(rendered(table(rows, ("partner", "name", "tier")), CSV), media_type=CSV)
        return Response(_encode({"partners": rows}), media_type=JSON)

    @router.post(
        "/documents",
        status_code=201,
        response_class=Response,
        responses=_TAKEN,
        openapi_extra=_FILE,
        summary="Hand over EDI, XML or a sheet",
    )
    async def upload(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=200, description="What the file is called.")] = "upload",
        content_length: Annotated[int | None, Header(ge=0)] = None,  # noqa: ARG001 - described, checked at the door
    ) -> Response:
        viewer = viewer_of(request)
        if viewer.audience not in _MAY_UPLOAD or service.take_in is None:
            raise HTTPException(403, "Only suppliers and integration may hand documents over.")
        content = await request.body()
        return await to_thread.run_sync(_taken, service, viewer, content, PurePosixPath(name).name or "upload")

    return router


def _taken(service: Service, viewer: Viewer, content: bytes, name: str) -> Response:
    from connectors.registry import recognise

    view = service.visibility.view(viewer)
    format = recognise(content[:4096], name)
    if not content or format is None or format.name not in _UPLOADS:
        raise HTTPException(415, "It is neither EDI (X12, EDIFACT) nor XML nor a sheet (.xlsx, .csv).")
    assert service.take_in is not None
    payload = service.take_in(content, name, view.partner or "")
    record = service.ledger.payload(payload)
    told = {
        "payload": payload,
        "status": record.status,
        "documents": [view.document(row) for row in service.ledger.documents(payload=payload)],
        "findings": [_finding(row) for row in service.ledger.findings(payload=payload)],
    }
    return Response(_encode(told), 201, media_type=JSON)


_FINDING_FIELDS = (
    *("code", "severity", "stage", "message", "location", "value", "expected", "standard", "line", "document"),
)


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    """A finding of a file that who asks has just handed over: all of it is theirs."""
    return {name: row[name] for name in _FINDING_FIELDS}


def documents_seen(
    ledger: Ledger, view: View, *, partner: str | None = None, status: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Documents as the viewer may see them, newest first."""
    only = view.partner or partner
    if partner not in (None, only):
        return []
    rows = ledger.spans.documents(partner=only, status=status, limit=limit)
    return [seen for row in rows if (seen := view.document(row)) is not None]


def document_seen(ledger: Ledger, view: View, document: str) -> dict[str, Any] | None:
    """One document with its findings, as the viewer may see them; None: not at all."""
    rows = ledger.spans.documents(document=document, partner=view.partner, limit=1)
    seen = view.document(rows[0]) if rows else None
    if seen is None:
        return None
    findings = ledger.findings(document=document, payload=rows[0]["payload_id"])
    shown = (one for row in findings if (one := view.finding(row)) is not None)
    return seen | {"findings": list(shown)}
