"""``crossdock outlets``: the state of each outlet, and what a person does about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation


class Picky:
    """Refuses batches that hold the text ``refuse``."""

    def __init__(self) -> None:
        self.refuse = "nothing"
        picky = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(422 if picky.refuse in body else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Picky]:
    picky = Picky()
    thread = threading.Thread(target=picky.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield picky
    picky.server.shutdown()
    picky.server.server_close()
    thread.join()


@pytest.fixture
def ran(known: Installation, orders: Callable[..., str]) -> Installation:
    """Three events, handed to the outlet ``feed``; ``later`` is configured and has got nothing."""
    known.drop("po.jsonl", orders(("1", "10"), ("2", "10"), ("3", "10")))
    assert known.run("run").exit_code == 0
    (known.home / "outlets" / "later.yaml").write_text("outlet: later\nsink: {kind: folder, path: later}\nbegin: now\n")
    return known


def test_the_state_of_each_outlet(ran: Installation) -> None:
    shown = ran.run("outlets").stdout
    assert ["feed", "well", "3", "0", "0", "0"] in [line.split()[:6] for line in shown.splitlines()]
    assert "nothing handed over yet" in shown
    [state] = map(json.loads, ran.run("outlets", "--json").stdout.splitlines())
    assert (state["sink"], state["position"], state["dead"]) == ("feed", 3, 0)


def test_pause_and_resume(ran: Installation, orders: Callable[..., str]) -> None:
    assert "feed is paused" in ran.run("outlets", "pause", "feed", "--reason", "they move house").stdout
    ran.drop("po2.jsonl", orders(("4", "10")))
    assert "feed   nothing new to publish" in ran.run("run").stdout
    shown = ran.run("outlets").stdout
    assert "paused" in shown
    assert "they move house" in shown
    assert "feed was handed 0 events and is paused: they move house" in ran.run("publish", "feed").stdout
    assert ran.run("outlets", "resume", "feed").stdout == "feed was handed 1 event\n"


def test_an_outlet_never_handed_anything_is_not_paused_but_switched_off(ran: Installation) -> None:
    done = ran.run("outlets", "pause", "later")
    assert done.exit_code == 2
    assert "enabled: false" in done.stderr


def test_a_new_outlet_begins_where_its_file_says(ran: Installation, orders: Callable[..., str]) -> None:
    assert "later" in ran.run("run").stdout
    assert not (ran.home / "later").exists()
    ran.drop("po2.jsonl", orders(("4", "10")))
    ran.run("run")
    [file] = (ran.home / "later").iterdir()
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("begin", "count"), [("beginning", 3), ("2", 2), ("3", 1), ("2020-01-01T00:00:00Z", 3), ("2999-01-01T00:00:00Z", 0)]
)
def test_backfill_from_any_point(ran: Installation, begin: str, count: int) -> None:
    done = ran.run("outlets", "backfill", "later", "--from", begin)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"later was handed {count} event")


@pytest.mark.parametrize("begin", ["yesterday", "2026-03-01T00:00:00", "9"])
def test_a_point_that_is_none(ran: Installation, begin: str) -> None:
    assert ran.run("outlets", "backfill", "later", "--from", begin).exit_code != 0


def test_dead_letters_are_shown_and_redriven_by_one_command(
    ran: Installation, orders: Callable[..., str], receiver: Picky
) -> None:
    (ran.home / "outlets" / "hub.yaml").write_text(
        f"outlet: hub\nsink: {{kind: http, url: '{receiver.url}'}}\nretry: {{first: 0s, attempts: 2}}\n"
    )
    receiver.refuse = "/2/"
    ran.run("run")
    assert "422" in ran.run("outlets", "letters").stdout
    [letter] = map(json.loads, ran.run("outlets", "letters", "hub", "--status", "dead", "--json").stdout.splitlines())
    assert letter["subject"] == "order/ACME/2/10"
    assert ["hub", "dead", "letters"] in [line.split()[:3] for line in ran.run("outlets").stdout.splitlines()]
    receiver.refuse = "nothing"
    assert ran.run("outlets", "redrive", "hub").stdout == "hub was handed 1 event\n"
    assert ran.run("outlets", "letters").stdout == "every event was taken\n"
    assert ran.run("outlets", "redrive", "hub").exit_code == 1


def test_a_mistyped_outlet_is_named_with_its_neighbour(ran: Installation) -> None:
    done = ran.run("outlets", "resume", "fed")
    assert done.exit_code == 2
    assert "did you mean 'feed'" in done.stderr


def test_an_outlet_is_handed_only_what_its_receiver_may_see(ran: Installation) -> None:
    (ran.home / "outlets" / "acme.yaml").write_text(
        "outlet: acme\nsink: {kind: folder, path: acme}\nsees: {audience: supplier, partner: ACME}\n"
    )
    (ran.home / "outlets" / "quality.yaml").write_text(
        "outlet: quality\nsink: {kind: folder, path: quality}\nsees: {audience: quality}\n"
    )
    assert ran.run("run").exit_code == 0
    [file] = (ran.home / "acme").iterdir()
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert {event["data"]["partner"] for event in told} == {"ACME"}
    assert {event["source"] for event in told} == {"/crossdock/channels/feed"}
    assert not (ran.home / "quality").exists()
    states = {row["sink"]: row["behind"] for row in map(json.loads, ran.run("outlets", "--json").stdout.splitlines())}
    assert states["quality"] == states["acme"] == 0


def test_an_outlet_for_the_supplier_of_nobody_is_a_mistake(ran: Installation) -> None:
    (ran.home / "outlets" / "odd.yaml").write_text(
        "outlet: odd\nsink: {kind: folder, path: odd}\nsees: {audience: supplier}\n"
    )
    assert "a supplier is one of a partner" in ran.run("lint").stdout
