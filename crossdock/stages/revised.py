"""Orders that say something else than before: they are ``changed``, and say what.

A source that tells the state of an order, and not what was done to it, sends the same words for a new
order and a changed one. What the feed says of the subject tells them apart. The event's id and
fingerprint are those of what was sent, so that nothing depends on when it was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from crossdock.ledger import Ledger
from crossdock.ledger.reconciling import Reconciling
from crossdock.translation import DocumentLines, Translated
from mappings.frames import unframed
from mappings.remembered import is_constant
from schemas.events import Stream

_ORDERS = "order/"
#: What a change of an order is not.
_ASIDE = frozenset(("kind", "lineage", "changes", "references", "status"))


def revised(translated: Iterable[Translated], *, ledger: Ledger) -> Iterator[Translated]:
    """The translation, each order that was known told as a change, with what was there before."""
    for item in translated:
        yield _told(item, ledger.reconciling) if isinstance(item, DocumentLines) and item.events.height else item


def _told(item: DocumentLines, feed: Reconciling) -> DocumentLines:
    events = item.events
    if events["stream"][0] != Stream.DEMAND.value and is_constant(events["stream"]):
        return item
    orders = (events["stream"] == Stream.DEMAND.value) & events["subject"].str.starts_with(_ORDERS)
    orders &= events["kind"].is_in(["ordered", "changed"])
    if not orders.any():
        return item
    latest = feed.latest(Stream.DEMAND.value, events.filter(orders)["subject"].unique().to_list())
    if not latest:
        return item
    said = feed.said([one.position for one in latest.values() if one.kind in ("ordered", "changed")])
    events = unframed(events)
    rows = events.with_row_index("row").filter(orders & events["subject"].is_in(list(latest)))
    kinds: dict[int, str] = {}
    texts: dict[int, str] = {}
    for row, subject, text in rows.select_seq("row", "subject", "data").rows():
        if (before := said.get(latest[subject].position)) is None:
            continue  # it was cancelled and is ordered anew
        if changes := _changes(msgspec.json.decode(before), data := msgspec.json.decode(text)):
            kinds[row] = "changed"
            texts[row] = msgspec.json.encode(data | {"kind": "changed", "changes": changes}).decode()
    if not kinds:
        return item
    events = events.with_columns_seq(
        events["kind"].scatter(list(kinds), list(kinds.values())),
        events["data"].scatter(list(texts), list(texts.values())),
    )
    return replace(item, events=events)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """What stands in one and not in the other, field by field, in the order of the event."""
    fields = [name for name in dict.fromkeys((*after, *before)) if name not in _ASIDE]
    return [
        {"field": name} | {when: data[name] for when, data in (("before", before), ("after", after)) if name in data}
        for name in fields
        if before.get(name) != after.get(name)
    ]
