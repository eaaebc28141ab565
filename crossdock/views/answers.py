"""What people see of answers: what is owed, what left, what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from crossdock.views.display import DIM, clock, error_view, phrases, plain_table

if TYPE_CHECKING:
    from crossdock.respond import Responded


def responded_view(responded: Responded) -> RenderableType:
    """What one round did, and what stopped any of it."""
    return Group(responded_line(responded), *(row for error in responded.errors for row in (Text(), error_view(error))))


def responded_line(responded: Responded) -> Text:
    """``997: 3 sent, 1 refused``."""
    said = phrases(
        *(f"{kind}: {number:,} sent" for kind, number in sorted(responded.sent.items())),
        Text(f"{responded.refused:,} refused", style="bold red") if responded.refused else "",
    )
    return said or Text("nothing to answer", style=DIM)


def answers_view(rows: Sequence[Mapping[str, Any]], status: str | None = None) -> RenderableType:
    """One line an answer, newest first; below it why a referee refused it. ``status``: they are all in that state."""
    if not rows:
        return Text(f"no answer is {status}" if status else "no answer was ever owed", style=DIM)
    table = plain_table()
    for name in ("answer", "to", "answers", "state", "due", "file"):
        table.add_column(name, overflow="fold")
    refused: list[RenderableType] = []
    for row in rows:
        answered = f"{row['answers_type']} {row['answers_number']}".strip()
        table.add_row(row["kind"], row["partner"], answered, _state(row), clock(row["due_at"]), row["name"] or "")
        if row["reason"]:
            refused.append(
                phrases(Text(f"{row['kind']} to {row['partner']} refused", style="bold red"), Text(row["reason"]))
            )
    return Group(table, *refused)


def answer_summary_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """How prompt we are: one line a partner and kind; None when nothing was ever owed."""
    if not rows:
        return None
    table = plain_table()
    table.add_column("partner", style="bold")
    table.add_column("answer")
    for name in ("sent", "late", "waiting", "overdue", "refused"):
        table.add_column(name, justify="right")
    table.add_column("next due")
    for row in rows:
        late, overdue, refused = (
            Text(f"{row[name]:,}" if row[name] else "-", style=style if row[name] else DIM)
            for name, style in (("late", "yellow"), ("overdue", "bold red"), ("refused", "bold red"))
        )
        due = clock(row["next_due"]) if row["next_due"] else ""
        waiting = f"{row['waiting']:,}" if row["waiting"] else "-"
        table.add_row(row["partner"], row["kind"], f"{row['sent']:,}", late, waiting, overdue, refused, due)
    return table


def expectations_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    """How prompt partners are with what we sent; None when nothing of ours is to be answered."""
    if not rows:
        return None
    table = plain_table()
    table.add_column("partner", style="bold")
    table.add_column("of our")
    styles = {
        "waiting": "",
        "due_soon": "yellow",
        "overdue": "bold red",
        "accepted": "green",
        "late": "yellow",
        "rejected": "bold red",
    }
    for name in styles:
        table.add_column({"late": "of them late"}.get(name, name.replace("_", " ")), justify="right")
    table.add_column("next due")
    for row in rows:
        cells = (
            Text(f"{row[name]:,}" if row[name] else "-", style=style if row[name] else DIM)
            for name, style in styles.items()
        )
        table.add_row(row["partner"], row["kind"], *cells, clock(row["next_due"]) if row["next_due"] else "")
    return table


def held_view(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line an interchange that was held back, the newest first."""
    if not rows:
        return Text("no interchange was ever held back", style=DIM)
    table = plain_table()
    for name in ("id", "from", "number", "why", "came in", "since", "state"):
        table.add_column(name, overflow="fold", justify="right" if name == "id" else "left")
    for row in rows:
        state = Text(row["status"], style="bold red" if row["status"] == "held" else DIM)
        why = row["code"].partition(".")[2].replace("_", " ")
        decided = phrases(state, Text(row["reason"], style=DIM)) if row["reason"] else state
        sender = row["partner"] or row["sender"]
        table.add_row(str(row["id"]), sender, row["control_number"], why, row["name"], clock(row["held_at"]), decided)
    return table


def _state(row: Mapping[str, Any]) -> Text:
    if row["status"] == "refused":
        return Text("refused", style="bold red")
    if row["sent_at"] is None:
        return Text("owed" if row["status"] == "owed" else "made, not sent", style="yellow")
    late = row["sent_at"] > row["due_at"]
    return phrases(Text("sent late" if late else "sent", style="yellow" if late else "green"), clock(row["sent_at"]))
