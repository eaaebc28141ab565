"""Documents and the runs of DAGs that read them, both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.acting import acting_as
from crossdock.console.documents import document_page
from crossdock.console.workplace import Workplace, workplace_of
from crossdock.dock import Dock
from crossdock.feed.service import service_of
from crossdock.ledger.runs import AirflowRun

FIRST = AirflowRun("inbound_inbox", "asset_triggered__2026-03-01T08:00:00.5+00:00_x")
SECOND = AirflowRun("inbound_inbox", "manual__2")


@pytest.mark.parametrize("actor", ["person anna", "command crossdock run by anna", "dag alone"])
def test_who_is_no_run_is_none(actor: str) -> None:
    assert AirflowRun.of_actor(actor) is None


def test_a_run_is_known_by_what_the_trail_calls_it() -> None:
    assert AirflowRun.of_actor(FIRST.actor) == FIRST


def take_in(known: Any, dock: Dock, name: str, content: str, actor: str) -> str:
    """The document of a file that ``actor`` takes in."""
    known.drop(name, content)
    with acting_as(actor):
        ids = dock.receive("inbox")
        dock.translate(ids)
    return next(row["document"] for row in dock.ledger.documents(payload=ids[0]))


def test_a_document_leads_to_its_run_and_a_run_to_its_documents(known: Any, orders: Callable[..., str]) -> None:
    with Dock.open(known.settings) as dock:
        place = workplace_of(dock, service_of(dock))
        first = take_in(known, dock, "1.jsonl", orders(("1", "10")), FIRST.actor)
        second = take_in(known, dock, "2.jsonl", orders(("2", "10")), SECOND.actor)
        by_hand = take_in(known, dock, "3.jsonl", orders(("3", "10")), "command crossdock run by anna")
        assert [row["document"] for row in dock.ledger.searching.documents(run=FIRST)] == [first]
        assert [row["document"] for row in dock.ledger.searching.documents(run=SECOND)] == [second]
        assert dock.ledger.searching.documents(run=AirflowRun("inbound_inbox", "another")) == []
        assert len(dock.ledger.searching.documents()) == 3
        assert run_shown(place, first) == ""
        with_airflow = Workplace(**{name: getattr(place, name) for name in place.__slots__} | {"airflow": "http://af"})
        assert run_shown(with_airflow, first) == (
            "http://af/dags/inbound_inbox/runs/asset_triggered__2026-03-01T08%3A00%3A00.5%2B00%3A00_x"
        )
        assert run_shown(with_airflow, by_hand) == "http://af/dags/inbound_inbox"


def run_shown(place: Workplace, document: str) -> str:
    page = document_page(place, document)
    assert page is not None
    return page.airflow_run
