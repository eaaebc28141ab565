"""SQL Server by way of FreeTDS: what it says of refusals, deadlocks and locks, and what of that is tried again.

No SQL Server may be had here; what stands for it speaks its wire and answers as it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from schemas.errors import PermanentError, TransientError
from tests.tds_server import Fault, TdsServer

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[Callable[..., TdsServer]]:
    servers: list[TdsServer] = []

    def start(**how: Any) -> TdsServer:
        servers.append(TdsServer(**how))
        return servers[-1]

    yield start
    for one in servers:
        one.stop()


def test_a_refused_login_is_permanent_and_keeps_the_password(server: Callable[..., TdsServer], channel_to: Any) -> None:
    refusing = server(login=Fault(18456, "Login failed for user 'crossdock'.", severity=14))
    with pytest.raises(PermanentError, match="Login failed for user 'crossdock'") as told:
        channel_to(refusing.connection()).pull("SELECT 1 AS id")
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(1205, "Transaction (Process ID 52) was deadlocked on lock resources; rerun it.", 13), TransientError),
        (Fault(1222, "Lock request time out period exceeded."), TransientError),
        (Fault(208, "Invalid object name 'po'."), PermanentError),
        (Fault(207, "Invalid column name 'qty'."), PermanentError),
        (Fault(229, "The SELECT permission was denied on the object 'po'.", 14), PermanentError),
    ],
    ids=lambda value: str(value.number) if isinstance(value, Fault) else value.__name__,
)
def test_what_a_statement_is_answered(
    server: Callable[..., TdsServer], channel_to: Any, fault: Fault, error: type[Exception]
) -> None:
    failing = server(faults={"SELECT id": fault})
    with pytest.raises(error, match=fault.message[:20].replace("(", r"\(").replace(")", r"\)")):
        channel_to(failing.connection()).pull("SELECT id FROM po", options={"timeout": "7s"})
    assert any("SET LOCK_TIMEOUT 7000" in text for text in failing.asked)
    assert not any(word in text.upper() for text in failing.asked for word in ("INSERT", "UPDATE", "DELETE"))
