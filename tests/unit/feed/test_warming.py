"""What is done at the start: every page that needs no id is had, and nothing is left for the first visitor to make."""

from __future__ import annotations

import logging
import re

from crossdock.console.pages import routes
from crossdock.console.rendering import Rendering
from crossdock.console.warming import PAGES, warm
from crossdock.console.workplace import workplace_of
from crossdock.feed.app import feed_app
from crossdock.feed.service import service_of
from tests.unit.feed.conftest import TOKEN, Browser


def test_every_page_is_had_and_every_template_made(dock, five, caplog):
    rendering, service = Rendering(), service_of(dock)
    app = feed_app(service, TOKEN, routes(workplace_of(dock, service), rendering))
    with caplog.at_level(logging.WARNING):
        warm(app, TOKEN, rendering)
    assert caplog.records == []
    assert set(rendering.templates.list_templates(["html"])) == {name for _, name in rendering.templates.cache}
    navigation = Browser(app).get("/").text.split("</nav>")[0].split("<nav")[1]
    assert set(re.findall(r'href="(/[^"]*)"', navigation)) <= set(PAGES)


def test_a_page_that_cannot_be_had_is_told_and_stops_nothing(dock, caplog):
    async def broken(scope, receive, send):
        if scope["path"] != "/":
            raise OSError("the disk is gone")
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with caplog.at_level(logging.WARNING):
        warm(broken, TOKEN, Rendering())
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "/ answered 503 when it was looked at first"
    assert "was not looked at before" in told[1]
