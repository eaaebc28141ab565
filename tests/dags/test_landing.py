"""The trigger behind a channel's asset, in Airflow's own sharing of watches."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.triggers.shared_stream import SharedStreamManager

CHANNEL = 'channel: {name}\nsource: {{kind: folder, path: {name}, pattern: "*.edi", quiet: 1s}}\nschedule: "@yearly"\n'


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, at an installation with the channels ``first`` and ``second``."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("CROSSDOCK_HOME", str(tmp_path))
    monkeypatch.setenv("CROSSDOCK_CHANNELS", str(tmp_path / "channels"))
    (tmp_path / "channels").mkdir()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / "channels" / f"{name}.yaml").write_text(CHANNEL.format(name=name), encoding="ascii")
    from crossdock.airflow import landing

    return landing


class Triggerer:
    """Triggers that listen as Airflow's triggerer lets them; what fired, in order."""

    def __init__(self) -> None:
        self.fired: list[str] = []
        self._streams = SharedStreamManager(log=_Silent())
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, trigger: Any) -> None:
        stream = self._streams.subscribe(trigger_id=len(self._tasks), trigger=trigger, key=trigger.shared_stream_key())
        self._tasks.append(asyncio.get_running_loop().create_task(self._run(trigger, stream)))

    async def _run(self, trigger: Any, stream: AsyncIterator[Any]) -> None:
        async for event in trigger.filter_shared_stream(stream):
            self.fired.append(event.payload["channel"])

    async def until(self, count: int, within: float = 20) -> list[str]:
        """What fired, once ``count`` did; less when the time is over."""
        async with asyncio.timeout(within):
            while len(self.fired) < count:
                await asyncio.sleep(0.01)
        return self.fired

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._streams.stop_all()


class _Silent:
    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def land(home: Path, channel: str, name: str = "a.edi") -> None:
    (home / channel / f"{name}.part").write_text("x", encoding="ascii")
    (home / channel / f"{name}.part").rename(home / channel / name)


def test_what_landed_before_its_trigger_came_to_listen_is_not_missed(landing: ModuleType, tmp_path: Path) -> None:
    async def scene() -> None:
        triggerer = Triggerer()
        triggerer.begin(landing.Landing("first", "folder"))
        await asyncio.sleep(0.2)
        land(tmp_path, "second")
        land(tmp_path, "first")
        assert await triggerer.until(1) == ["first"]  # so the watch has told of both
        triggerer.begin(landing.Landing("second", "folder"))
        assert await triggerer.until(2) == ["first", "second"]
        land(tmp_path, "second", "b.edi")
        assert await triggerer.until(3) == ["first", "second", "second"]
        await triggerer.stop()

    asyncio.run(scene())


def test_a_trigger_that_comes_again_fires_for_what_still_lies_there_and_nothing_else(
    landing: ModuleType, tmp_path: Path
) -> None:
    """Its DAG was paused: Airflow dropped what it fired before the trigger was stopped."""

    async def scene() -> None:
        triggerer = Triggerer()
        triggerer.begin(landing.Landing("first", "folder"))
        triggerer.begin(landing.Landing("second", "folder"))
        await asyncio.sleep(0.2)
        land(tmp_path, "second")
        assert await triggerer.until(1) == ["second"]
        triggerer.begin(landing.Landing("second", "folder"))
        assert await triggerer.until(2) == ["second", "second"]
        (tmp_path / "second" / "a.edi").unlink()
        triggerer.begin(landing.Landing("second", "folder"))
        land(tmp_path, "first")
        assert await triggerer.until(3) == ["second", "second", "first"]
        await triggerer.stop()

    asyncio.run(scene())


def test_at_what_has_to_be_asked_something_may_always_wait(landing: ModuleType, tmp_path: Path) -> None:
    channels = tmp_path / "channels"
    mailbox = "channel: mail\nsource: {kind: imap, conn_id: none}\nschedule: '@hourly'\n"
    (channels / "mail.yaml").write_text(mailbox, encoding="ascii")
    assert landing.waits("imap", "mail")
    assert not landing.waits("folder", "first")
    land(tmp_path, "first")
    assert landing.waits("folder", "first")
    assert not landing.waits("folder", "nobody")
    shutil.rmtree(channels)
    assert not landing.waits("folder", "first")
