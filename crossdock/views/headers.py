"""Changed headers, for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.partners.headers import Column, Proposed, Review
from crossdock.views.display import DIM, clock, phrases, plain_table

if TYPE_CHECKING:
    from crossdock.partners.confirming import Changed


def listed_view(rows: Sequence[Changed]) -> RenderableType:
    """One line a sheet."""
    if not rows:
        return Text("every sheet has the header that was confirmed", style=DIM)
    table = plain_table()
    for name in ("payload", "partner", "document", "file", "came", "what is new", "read"):
        table.add_column(name, overflow="fold", justify="right" if name == "payload" else "left")
    for one in rows:
        review = one.review
        read = Text("no", style="bold red") if review.missing else Text("yes", style=DIM)
        came = clock(one.received_at)
        table.add_row(str(one.payload), review.partner, review.document, one.name, came, in_short(review), read)
    return table


def review_view(review: Review) -> RenderableType:
    """What differs, and what is proposed."""
    told = phrases(
        Text(f"{review.partner} {review.document}", style="bold"),
        review.location,
        f"header {review.before or 'never confirmed'} -> {review.now}",
    )
    rows: list[RenderableType] = [told]
    drift = review.drift
    says = {column.title: column for column in review.columns}
    rows += [
        Text(f"  renamed   {one.old} -> {one.new}{_says(says.get(one.new))}  (likeness {one.score:.0f})")
        for one in drift.renamed
    ]
    rows += [Text(f"  vanished  {title}") for title in drift.vanished]
    rows += [Text(f"  appeared  {title}{_says(says.get(title))}") for title, _ in drift.appeared]
    rows += [Text(f"  moved     {title}") for title, _ in drift.moved]
    rows += [Text(f"  missing   {name}", style="bold red") for name in review.missing]
    rows += [_proposal(one) for one in review.proposed]
    return Group(*rows)


def _proposal(one: Proposed) -> RenderableType:
    if not one.new:
        return Text(f"  proposed  {one.field}: nothing; no header is like it", style="yellow")
    why = f"likeness {one.score:.0f}" + (", in its place" if one.in_place else "")
    return Text(f"  proposed  {one.field}: {one.new}  ({why})", style="green" if one.is_likely else "yellow")


def _says(column: Column | None) -> str:
    """The first values of a column, behind its header."""
    return f": {', '.join(column.says)}" if column is not None and column.says else ""


def in_short(review: Review) -> str:
    """How many columns are new, gone, moved: ``1 renamed, 1 missing``."""
    drift = review.drift
    counted = (
        ("renamed", len(drift.renamed)),
        ("gone", len(drift.vanished)),
        ("new", len(drift.appeared)),
        ("moved", len(drift.moved)),
        ("missing", len(review.missing)),
    )
    return ", ".join(f"{number} {what}" for what, number in counted if number)
