"""Asking a JSON API for the pages of a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from connectors.web.columns import Column, kept_rows, plain_text, rows_of, step
from connectors.web.pulling import Page
from connectors.web.session import Answer, WebSession
from schemas.errors import PermanentError

SINCE = "{since}"
_ETAG = "etag"
_LINK = re.compile(r"<(?P<url>[^>]*)>(?P<parameters>(?:\s*;\s*[^,;]+)*)")
_NEXT = re.compile(r";\s*rel\s*=\s*\"?[^\";]*\bnext\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How the API parts long answers; ``says`` leads to where an answer names what follows."""

    kind: str = "none"
    parameter: str = ""
    size_parameter: str = ""
    size: int = 100
    first: int = 1
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of an address."""

    path: str
    columns: Mapping[str, Column]
    parameters: Mapping[str, str]
    records: tuple[str, ...] = ()
    way: tuple[str, ...] = ()
    keep: Mapping[str, Sequence[str]]
    paging: Paging
    conditional: bool  #: an answer that is as it was need not be sent again


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next page is."""

    url: str
    parameters: Mapping[str, str]


def pages(session: WebSession, asked: Asked, since: str, kept: Callable[[str], str | None]) -> Iterator[Page]:
    """The pages from ``since`` on; see ``connectors.web.pulling.Pages``."""
    filled = {name: value.replace(SINCE, since) for name, value in asked.parameters.items()}
    fixed = {name: value for name, value in filled.items() if value}
    place: _Place | None = _first(f"{session.base}/{asked.path.lstrip('/')}", fixed, asked.paging)
    seen: set[tuple[str, ...]] = set()
    number = 0
    while place is not None:
        told = (place.url, *(f"{name}={value}" for name, value in place.parameters.items()))
        if told in seen:
            raise PermanentError(f"{place.url} names a page as the next one that has been read", hint="mend `paging`")
        seen.add(told)
        conditional = {"If-None-Match": etag} if asked.conditional and number == 0 and (etag := kept(_ETAG)) else {}
        answer = session.get(place.url, params=place.parameters, headers=conditional)
        if answer.not_modified:
            yield Page(rows=(), unchanged=True)
            return
        content = answer.json()
        records = _records(content, asked.records, place.url)
        rows = (row for one in records for row in rows_of(one, asked.way, asked.columns, plain_text))
        place = _following(place, asked.paging, content, answer, len(records))
        single = asked.conditional and number == 0 and place is None
        remember = {_ETAG: tag} if single and (tag := answer.headers.get("ETag", "")) else {}
        yield Page(rows=list(kept_rows(rows, asked.columns, asked.keep)), remember=remember)
        number += 1


def _first(url: str, fixed: Mapping[str, str], paging: Paging) -> _Place:
    parameters = dict(fixed)
    if paging.size_parameter and paging.kind != "none":
        parameters[paging.size_parameter] = str(paging.size)
    if paging.kind == "page":
        parameters[paging.parameter] = str(paging.first)
    if paging.kind == "offset":
        parameters[paging.parameter] = "0"
    return _Place(url, parameters)


def _following(place: _Place, paging: Paging, content: Any, answer: Answer, count: int) -> _Place | None:
    """Where the page behind this one is; None at the end."""
    match paging.kind:
        case "page" | "offset":
            if count < (paging.size if paging.size_parameter else 1):
                return None
            further = 1 if paging.kind == "page" else count
            at = str(int(place.parameters[paging.parameter]) + further)
            return _Place(place.url, {**place.parameters, paging.parameter: at})
        case "cursor":
            cursor = plain_text(_at(content, paging.says))
            return _Place(place.url, {**place.parameters, paging.parameter: cursor}) if cursor else None
        case "url":
            following = plain_text(_at(content, paging.says))
            return _Place(urljoin(place.url, following), {}) if following else None
        case "link":
            header = next((value for name, value in answer.headers.items() if name.lower() == "link"), "")
            found = next((one["url"] for one in _LINK.finditer(header) if _NEXT.search(one["parameters"])), None)
            return _Place(urljoin(place.url, found), {}) if found else None
        case _:
            return None


def _records(content: Any, way: Sequence[str], url: str) -> list[Mapping[str, Any]]:
    found = _at(content, way)
    records = found if isinstance(found, list) else [found] if isinstance(found, dict) and not way else None
    if records is None or not all(isinstance(one, dict) for one in records):
        where = "/".join(way) or "the answer itself"
        raise PermanentError(f"{url}: {where} is no list of objects", hint="mend `records`")
    return records


def _at(content: Any, way: Sequence[str]) -> Any:
    for name in way:
        content = step(content, name)
    return content
