"""Asking an OData service for the pages of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from connectors.pulls.watermark import order_of
from connectors.sources.odata.removed import is_removed, removed_row
from connectors.sources.odata.values import literal, reader
from connectors.web.columns import Column, absent, kept_rows, rows_of
from connectors.web.pulling import Page
from connectors.web.session import WebSession
from schemas.errors import ConfigError, PermanentError

_DELTA, _ETAG = "delta", "etag"
_ACCEPT = {2: "application/json", 4: "application/json;odata.metadata=minimal;IEEE754Compatible=true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of an entity set."""

    version: int
    entity: str
    columns: Mapping[str, Column]
    select: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    filter: str = ""
    order: tuple[str, ...] = ()
    way: tuple[str, ...] = ()
    keep: Mapping[str, Sequence[str]] | None = None
    mark: tuple[str, str] | None = None  #: property and type
    key: tuple[str, ...] = ()  #: the columns that tell one row from another
    delta: bool = False
    conditional: bool = True  #: an answer that is as it was need not be sent again
    page: int | None = None
    parameters: Mapping[str, str] | None = None
    timezone: str | None = None


def pages(session: WebSession, asked: Asked, since: str, kept: Callable[[str], str | None]) -> Iterator[Page]:
    """The pages from ``since`` on, or from the delta link of last time; see ``connectors.web.pulling.Pages``."""
    headers = {"Accept": _ACCEPT[asked.version]}
    if asked.delta:
        headers["Prefer"] = "odata.track-changes"
    first = f"{session.base}/{asked.entity.lstrip('/')}"
    delta = kept(_DELTA) if asked.delta else None
    url, place, text = delta or first, _Place(since), reader(asked.timezone)
    parameters = {} if delta else _parameters(asked, place)
    while True:
        begins = asked.conditional and url == first and not place.skipped
        conditional = {"If-None-Match": etag} if begins and (etag := kept(_ETAG)) else {}
        answer = session.get(url, params=parameters, headers={**headers, **conditional})
        if answer.not_modified:
            yield Page(rows=(), unchanged=True)
            return
        told, following, continues = _told(answer.json(), answer.url)
        full = asked.page is not None and len(told) >= asked.page and not delta and not continues
        remember = {_DELTA: urljoin(answer.url, continues)} if asked.delta and continues else {}
        if begins and not following and not full and (tag := answer.headers.get("ETag", "")):
            remember |= {_ETAG: tag}
        yield _page(asked, told, place, text, remember=remember, whole=not delta)
        if following:
            url, parameters = urljoin(answer.url, following), {}
        elif full:
            place = place.after(told, asked, text)
            parameters = _parameters(asked, place)
        else:
            return


def _page(
    asked: Asked,
    told: Sequence[Mapping[str, Any]],
    place: _Place,
    text: Callable[[Any], str | None],
    *,
    remember: Mapping[str, str],
    whole: bool,
) -> Page:
    """The rows of entities that were ``told``; ``whole``: each has all its properties, not what changed of it."""
    entities = [one for one in told if not is_removed(one) and repr(one) not in place.seen]
    found = (row for one in entities for row in rows_of(one, asked.way, asked.columns, text))
    return Page(
        rows=list(kept_rows(found, asked.columns, asked.keep or {})),
        gone=[removed_row(one, asked.key, asked.columns, text) for one in told if is_removed(one)],
        remember=remember,
        absent=absent(entities[0], asked.way, asked.columns) if entities and whole else {},
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page of ours begins. As far as a watermark moves, pages go on from it: what is counted by ``$skip`` is
    pushed past us when something before it changes meanwhile."""

    since: str
    skipped: int = 0
    seen: frozenset[str] = frozenset()  #: entities that come once more

    def after(self, told: Sequence[Mapping[str, Any]], asked: Asked, text: Callable[[Any], str | None]) -> _Place:
        """Where the page behind ``told`` begins."""
        reached = text(told[-1].get(asked.mark[0])) if asked.mark else None
        if reached and (not self.since or order_of(reached) > order_of(self.since)):
            return _Place(reached, seen=frozenset(map(repr, told)))
        return _Place(self.since, self.skipped + len(told), self.seen | frozenset(map(repr, told)))


def _parameters(asked: Asked, place: _Place) -> dict[str, str]:
    conditions = [f"({asked.filter})"] if asked.filter else []
    order = list(asked.order)
    if asked.mark is not None:
        name, kind = asked.mark
        order = [name, *(one for one in order if one != name)]
        if place.since:
            try:
                conditions.append(f"{name} ge {literal(place.since, kind, asked.version)}")
            except ValueError as error:
                raise ConfigError(f"{asked.entity}: the watermark {place.since!r} is no {kind}: {error}") from None
    parameters = {
        "$select": ",".join(asked.select),
        "$expand": ",".join(_expanded(asked)),
        "$filter": " and ".join(conditions),
        "$orderby": ",".join(order),
        "$top": str(asked.page) if asked.page is not None and not asked.delta else "",
        "$skip": str(place.skipped) if place.skipped else "",
        "$format": "json" if asked.version == 2 else "",
    }
    return {**(asked.parameters or {}), **{name: value for name, value in parameters.items() if value}}


def _expanded(asked: Asked) -> Sequence[str]:
    """V2 follows a path; V4 nests: ``to_Item/to_Line`` is ``to_Item($expand=to_Line)``."""
    if asked.version == 2:
        return asked.expand
    return [_nested(path.split("/")) for path in asked.expand]


def _nested(way: Sequence[str]) -> str:
    first, *further = way
    return f"{first}($expand={_nested(further)})" if further else first


def _told(content: Any, url: str) -> tuple[list[Mapping[str, Any]], str, str]:
    """The entities of a page, the link to the next one, and the link that continues after the last."""
    if isinstance(content, dict) and isinstance(content.get("value"), list):
        found, following, continues = content["value"], content.get("@odata.nextLink"), content.get("@odata.deltaLink")
    else:
        inner = content.get("d") if isinstance(content, dict) else None
        found = inner.get("results") if isinstance(inner, dict) else inner
        following = inner.get("__next") if isinstance(inner, dict) else None
        continues = inner.get("__delta") if isinstance(inner, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise PermanentError(f"{url} answered no list of entities", hint="is `entity` an entity set of this service?")
    return found, str(following or ""), str(continues or "")
