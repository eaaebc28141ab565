"""Whether everything the demo company sent has arrived: the ledger and the feed against what was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from crossdock.simulate.plan import Effect, Simulation

if TYPE_CHECKING:
    from crossdock.ledger import Ledger
    from crossdock.local.feed import Feed


class _Identified(msgspec.Struct):
    id: str


def published(feed: Path) -> Iterator[str]:
    """The ids of the events in a folder outlet's files, as a reader of those files meets them."""
    decode = msgspec.json.Decoder(_Identified).decode
    for file in sorted(feed.glob("*.jsonl")):
        with file.open("rb") as lines:
            for line in lines:
                yield decode(line).id


def ledgered(ledger: Ledger) -> Iterator[str]:
    """The ids of all events of the ledger, in feed order."""
    after = 0
    while page := ledger.events(after=after, limit=5000):
        yield from (event.id for event in page)
        after = page[-1].position


def not_delivered(ledger: Ledger, feed: Path) -> list[str]:
    """One sentence for each way in which the feed differs from the ledger; none when they say the same."""
    wanted, found = set(ledgered(ledger)), Counter(published(feed))
    missing, foreign = wanted - found.keys(), found.keys() - wanted
    twice = [id for id, times in found.items() if times > 1]
    return [
        f"{len(ids)} event(s) {what}, the first {min(ids)}"
        for ids, what in (
            (missing, "of the ledger are not in the feed"),
            (foreign, "of the feed are not in the ledger"),
            (twice, "are in the feed more than once"),
        )
        if ids
    ]


def not_readable(ledger: Ledger, feed: Feed) -> list[str]:
    """A sentence when what ``crossdock serve`` hands out, page by page, is not what the ledger holds."""
    wanted, found = list(ledgered(ledger)), [event["id"] for event in feed.events()]
    if wanted == found:
        return []
    return [f"the feed's API gives {len(found)} event(s) where the ledger holds {len(wanted)}, or in another order"]


def not_taken(simulation: Simulation) -> list[str]:
    """A sentence when files still lie where they landed."""
    files = [simulation.directory / made.file for made in simulation.made]
    left = [file for file in files if file.is_file()]
    return [f"{len(left)} file(s) have not been taken in, the first {left[0]}"] if left else []


def not_arrived(simulation: Simulation, ledger: Ledger) -> list[str]:
    """One sentence for each count in which the ledger differs from what was made: ``channel: what, made, found``."""
    found = {row["channel"]: row for row in ledger.summary()}
    problems: list[str] = []
    for channel in simulation.channels:
        if channel not in found:
            problems.append(f"{channel}: nothing of it is in the ledger")
            continue
        has = {**found[channel], **found[channel]["events"]}
        problems += [
            f"{channel}: {what}: {wanted} were to come, there are {has.get(what, 0)}"
            for what, wanted in _wanted(simulation, channel).items()
            if has.get(what, 0) != wanted
        ]
    return problems


def not_found_out(simulation: Simulation, ledger: Ledger) -> list[str]:
    """One sentence for each planted defect that led to no finding of its place and value."""
    said = {
        (row["channel"], row["name"], row["code"], row["location"], row["value"])
        for row in ledger.findings(limit=100_000)
    }
    return [
        f"{planted.channel}: {planted.payload}: {expected.code} at {expected.location or 'the file'} was not found"
        for planted in simulation.planted
        for expected in planted.findings
        if (planted.channel, planted.payload, expected.code, expected.location, expected.value) not in said
    ]


def _wanted(simulation: Simulation, channel: str) -> dict[str, int]:
    made = simulation.of_channel(channel)
    planted = [one for one in simulation.planted if one.channel == channel]
    return {
        "documents": sum(one.documents for one in made),
        "lines": sum(one.lines for one in made),
        "parked": sum(one.count for one in planted if one.effect is Effect.LINE_PARKED),
        "quarantined": sum(one.effect is Effect.QUARANTINED for one in planted),
        "rejected": sum(one.effect is Effect.DOCUMENT_REJECTED for one in planted),
        "waiting": 0,
        **{stream.value: count for stream, count in simulation.events_of(made).items()},
    }
