"""How often somebody may do something: a bucket for each, which fills within a minute."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

MOST = 10_000  #: who is remembered; beyond it, who was longest away is forgotten


@dataclass(slots=True)
class _Bucket:
    size: float
    left: float
    at: float

    def fill(self, now: float) -> None:
        self.left = min(self.size, self.left + (now - self.at) * self.size / 60)
        self.at = now


class Throttle:
    """Buckets by name, in memory; ``seconds`` is the clock. Not for several threads at once."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic, *, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, who: str, per_minute: int) -> float:
        """0 where ``who`` may go on, so many times at once and a minute; else the seconds until it may."""
        left = self._of(who, per_minute).left
        return 0.0 if left >= 1 else (1 - left) * 60 / per_minute

    def take(self, who: str, per_minute: int) -> float:
        """Like ``wait``, and where it is 0 it counts."""
        wait = self.wait(who, per_minute)
        if not wait:
            self._buckets[who].left -= 1
        return wait

    def give_back(self, who: str) -> None:
        """The last of ``who`` is not to count after all."""
        if (bucket := self._buckets.get(who)) is not None:
            bucket.left = min(bucket.size, bucket.left + 1)

    def forget(self, who: str) -> None:
        """``who`` has its whole bucket again."""
        self._buckets.pop(who, None)

    def _of(self, who: str, per_minute: int) -> _Bucket:
        size, now = float(per_minute), self._seconds()
        bucket = self._buckets.pop(who, None)
        if bucket is None or bucket.size != size:
            bucket = _Bucket(size=size, left=size, at=now)
        bucket.fill(now)
        self._buckets[who] = bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        return bucket


def address_of(scope: Scope) -> str:
    """Where a request comes from: an IPv4 address, or the /64 that somebody with IPv6 has to himself."""
    host: str = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a socket of this machine
        return host
    if address.version == 4:
        return host
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
