"""Data Docs in the console: the pages that Great Expectations has written, without what they fetch from elsewhere.

As they are written they load styles and scripts from other hosts, which neither this console's security policy nor a
closed network allows. What is left is plain: every section stands open, and a style sheet of ours lays it out. Their
index is made by a script; the list of runs is therefore a page of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from crossdock.console.rendering import Rendering
from mappings.quality import RESULTS

ROOT = "/data-docs"

_FOREIGN = re.compile(
    r"<script\b[^>]*>.*?</script\s*>|<style\b[^>]*>.*?</style\s*>|<link\b[^>]*>|<noscript\b[^>]*>.*?</noscript\s*>"
    r'|\son[a-z]+="[^"]*"|\sstyle="[^"]*"',
    re.IGNORECASE | re.DOTALL,
)
_ELSEWHERE = re.compile(r'<img\b[^>]*\bsrc="(?:https?:)?//[^"]*"[^>]*>', re.IGNORECASE)
_OURS = '<link rel="stylesheet" href="/static/data-docs.css">'


@dataclass(frozen=True, slots=True)
class Run:
    """One suite's results: when they came about, for whom, whether all was met, and their page below ``ROOT``."""

    suite: str
    run: str
    at: datetime
    success: bool
    page: str


def routes(folder: Path, rendering: Rendering) -> APIRouter:
    """The list of runs, and every file below ``folder``, the pages plain."""
    router = APIRouter(include_in_schema=False)

    @router.get(ROOT)
    @router.get(ROOT + "/index.html")
    def begin(request: Request) -> HTMLResponse:
        return rendering.page(request, "data_docs.html", runs=runs(folder), root=ROOT)

    @router.get(ROOT + "/{path:path}")
    def page(path: str) -> Response:
        file = _within(folder, path)
        if file is None:
            raise HTTPException(404, f"There is no page {path} in the Data Docs.")
        if file.suffix == ".html":
            return HTMLResponse(plain(file.read_text(encoding="utf-8")))
        return FileResponse(file)

    return router


def runs(folder: Path) -> list[Run]:
    """What Great Expectations has looked at, the newest first."""
    pages = folder / "validations"
    found = []
    for page in pages.rglob("*.html"):
        suite, run, at, _ = page.relative_to(pages).parts
        result = (folder / RESULTS / page.relative_to(pages)).with_suffix(".json")
        if result.is_file():
            success = msgspec.json.decode(result.read_bytes(), type=_Result).success
            found.append(Run(suite, run, _moment(at), success, str(page.relative_to(folder))))
    return sorted(found, key=lambda one: one.at, reverse=True)


class _Result(msgspec.Struct):
    success: bool


def _moment(stamp: str) -> datetime:
    """``20261122T075046.450360Z`` as an instant."""
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def plain(html: str) -> str:
    """A page without scripts and without anything that comes from another host."""
    return _ELSEWHERE.sub("", _FOREIGN.sub("", html)).replace("</head>", f"{_OURS}</head>", 1)


def _within(folder: Path, path: str) -> Path | None:
    """The file meant, if it lies in the folder and is none of its hidden ones."""
    if any(part.startswith(".") for part in path.split("/")):
        return None
    file = (folder / path).resolve()
    return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
