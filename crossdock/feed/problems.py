"""Errors as problem documents (RFC 9457), whoever raised them; to a browser, on the console, as pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from schemas.errors import CrossdockError, DeniedError, GivenUpError, TransientError

if TYPE_CHECKING:
    from jinja2 import Template

MEDIA_TYPE = "application/problem+json"


class Problem(JSONResponse):
    """A problem document: as such to programs, as a page to a browser that asks for anything but the API."""

    media_type = MEDIA_TYPE

    def __init__(self, told: Mapping[str, Any], headers: Mapping[str, str] | None) -> None:
        super().__init__(told, told["status"], {**(headers or {}), "Vary": "Accept"})
        self._told = told
        self._given = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_for_a_page(scope):
            await super().__call__(scope, receive, send)
            return
        here = scope["path"].removeprefix(scope.get("root_path", ""))
        viewer = scope.get("state", {}).get("viewer")
        page = _page().render(problem=self._told, here=here, **({"viewer": viewer} if viewer else {}))
        await HTMLResponse(page, self.status_code, {**(self._given or {}), "Vary": "Accept"})(scope, receive, send)


def _is_for_a_page(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return not path.startswith("/v1/") and "text/html" in Headers(scope=scope).get("accept", "")


@cache
def _page() -> Template:
    from jinja2 import Environment, PackageLoader

    made = Environment(loader=PackageLoader("crossdock.feed"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return made.get_template("problem.html")


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> Response:
    """A problem of no type of its own: its title is the status's phrase (RFC 9457, 4.2.1)."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Problem({**document, **extensions}, headers)


def answer_with_problems(app: FastAPI) -> None:
    """Let every error that leaves a route of ``app`` become a problem document."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(CrossdockError, _stopped)
    app.add_exception_handler(Exception, _unforeseen)


def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """All faults of the request at once, each with the parameter, what was given and what is wrong with it."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {
            "parameter": str(fault["loc"][-1]),
            "given": "" if fault["input"] is None else str(fault["input"])[:200],
            "detail": "there is no such parameter" if fault["type"] == "extra_forbidden" else fault["msg"],
        }
        for fault in error.errors()
    ]
    told = "; ".join(f"{fault['parameter']}: {fault['detail']}" for fault in faults)
    return problem(422, told, errors=faults)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"There is nothing at {request.url.path}."
    if error.status_code == 405:
        detail = f"{request.method} is not what can be asked of {request.url.path}."
    return problem(error.status_code, detail, headers=error.headers)


def _stopped(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """The ledger is away or busy: 503, worth another try. Not for who asks: 403. What was given up: 410. What stays
    wrong: 500."""
    assert isinstance(error, CrossdockError)
    hint: dict[str, Any] = {"hint": error.hint} if error.hint else {}
    if isinstance(error, TransientError):
        seconds = str(math.ceil(error.retry_after or 5))
        return problem(503, error.message, headers={"Retry-After": seconds}, **hint)
    status = next((status for kind, status in _ANSWERED.items() if isinstance(error, kind)), 500)
    return problem(status, error.message, **hint)


_ANSWERED: Mapping[type[CrossdockError], int] = {DeniedError: 403, GivenUpError: 410}


def _unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """What nobody foresaw is told in the log, not to the asker."""
    return problem(500, "This should not happen. The service's log has the whole story.")


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "hint": {"type": "string"},
    },
}
_EVERYWHERE = {
    "401": "Nobody knows the token.",
    "403": "It is not for who asks.",
    "422": "The question is faulty, or asks too much; all its faults at once.",
    "429": "Too many requests; Retry-After says when again.",
    "503": "The ledger is away or busy; Retry-After says when again.",
}


_SOME = ("404", "413", "415")  #: what only some routes answer, with their own words


def _described(status: int, story: str) -> dict[str, Any]:
    example = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": story}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        fault = {"parameter": "limit", "given": "0", "detail": "Input should be greater than or equal to 1"}
        example |= {"detail": f"limit: {fault['detail']}", "errors": [fault]}
    return {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}


def with_problems_described(app: FastAPI) -> None:
    """Let the description of ``app`` tell of the errors that any of its routes may answer, and of how to be let in."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = plain()
        components = document.setdefault("components", {})
        components["schemas"] = {**components.get("schemas", {}), "Problem": _PROBLEM}
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                answers = operation["responses"]
                if not path.startswith("/v1/"):  # open to everybody
                    operation["security"] = []
                    answers.pop("422", None)
                    continue
                told = {status: answers[status]["description"] for status in _SOME if status in answers}
                for status, story in (_EVERYWHERE | told).items():
                    answers[status] = {"description": story, "content": _described(int(status), story)}
        return document

    app.openapi = described  # type: ignore[method-assign]
