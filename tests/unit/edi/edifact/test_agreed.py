"""What a partner's file may say of a message's grammar."""

from __future__ import annotations

import pytest

from connectors.formats.edi.edifact import Edifact
from schemas.errors import ConfigError


class One:
    """A single plan."""

    def __init__(self, plan):
        self.plan = plan

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def test_messages_of_edifact(wrap_message, read_edifact) -> None:
    paths = ("LIN01",)
    rows = {"tighten": ["need NAD", "codes DTM01-1 137"], "relax": ["free BGM04", "after LIN/QTY: ZXX O"]}
    with pytest.raises(ConfigError, match="optional anyway"):
        Edifact().compile("edifact.ORDERS", "LIN", paths, rows)
    rows["relax"] = ["length BGM02-1 40", "after LIN/QTY: ZXX O"]
    plan = One(Edifact().compile("edifact.ORDERS", "LIN", paths, rows))
    segments = (f"BGM+220+{'9' * 38}+9", "DTM+4:20260401:102", "LIN+1++P1:IN", "QTY+21:5", "ZXX+1", "UNS+S")
    found = read_edifact(wrap_message("ORDERS", *segments), plans=plan)
    assert [error.code for error in found.errors] == ["element.code", "segment.missing"]
