"""One ledger suite for both databases, and a small workshop that makes what translation would yield."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

import polars as pl
import pytest

from crossdock.ledger import Ledger, PayloadRecord
from crossdock.translation import Document, DocumentClosed, DocumentLines, DocumentOpened, Translated
from mappings.frames import FRAME, GAP
from mappings.normalise import empty_events
from schemas.documents import LENGTH, LOCATION, OFFSET, ORDINAL, DocumentStart
from schemas.findings import Finding, Severity, Stage

RECEIVED_AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)], scope="session")
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes databases, an SQLite file each and then one on a real PostgreSQL; ``like`` is the URL of one to copy."""
    if request.param == "postgresql":
        return cast(Callable[..., str], request.getfixturevalue("postgres").database)

    def file(*, like: str = "") -> str:
        place = tmp_path_factory.mktemp("ledger") / "ledger.db"
        if like:
            shutil.copy(urlsplit(like).path, place)
        return f"sqlite:///{place}"

    return file


@pytest.fixture(scope="session")
def pattern(backend: Callable[..., str]) -> str:
    """A migrated ledger that nobody writes to: copying one is faster than making one."""
    url = backend()
    Ledger.open(url).close()
    return url


@pytest.fixture
def empty_url(backend: Callable[..., str]) -> str:
    return backend()


@pytest.fixture
def url(backend: Callable[..., str], pattern: str) -> str:
    return backend(like=pattern)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, patience=5) as opened:
        yield opened


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Fact:
    """One event before it has a position: ``says`` is its content, ``by`` the identity of its document."""

    subject: str
    says: str
    by: str = "D1"
    stream: str = "demand"
    line: int = 1

    @property
    def key(self) -> str:
        return sha(f"{self.stream}|{self.subject}")[:20]

    @property
    def id(self) -> str:
        return self.key + sha(f"{self.says}|{self.by}")[:12]

    def row(self, document: str) -> dict[str, object]:
        kinds = {"demand": "ordered", "shipment": "notified", "inventory": "on_hand"}
        data = {
            "kind": kinds[self.stream],
            "partner": "ACME",
            "item": "P-100",
            "site": "BER",
            "quantity": self.says,
            "unit": "EA",
            "base_quantity": self.says,
            "base_unit": "EA",
            "references": {"order": self.subject},
            "lineage": {
                "payload": "a" * 64,
                "document": document,
                "location": f"segment {self.line}",
                "mapping": "standard/x12_850",
                "mapping_version": "1",
                "offset": 10 * self.line,
                "length": 9,
            },
        }
        return {
            "id": self.id,
            "fingerprint": sha(self.says)[:16],
            "stream": self.stream,
            "kind": data["kind"],
            "subject": self.subject,
            "time": "2026-03-01T08:00:00Z",
            "partner": "ACME",
            "item": "P-100",
            "site": "BER",
            "line": self.line,
            "data": json.dumps(data),
        }


@dataclass(frozen=True)
class Paper:
    """A business document to be: its facts, what is parked of it, what is wrong with it."""

    facts: Sequence[Fact] = ()
    status: str = "accepted"
    parked: Sequence[tuple[int, str]] = ()
    findings: Sequence[Finding] = ()
    chunk: int = 100
    framed: bool = False
    type: str = "x12.850"
    attributes: dict[str, str] = field(default_factory=dict)


class Workshop:
    """Payloads and translations for a ledger."""

    def __init__(self) -> None:
        self._made = 0

    def payload(
        self,
        ledger: Ledger,
        *,
        channel: str = "edi",
        content: str | None = None,
        key: str | None = None,
        received_at: datetime = RECEIVED_AT,
    ) -> PayloadRecord:
        self._made += 1
        name = f"order-{self._made}.edi"
        return ledger.record_payload(
            sha256=sha(content or name),
            size=100,
            channel=channel,
            key=key or name,
            name=name,
            received_at=received_at,
            metadata={"path": f"/in/{name}"},
        )

    def translation(self, payload: PayloadRecord, papers: Iterable[Paper | Finding]) -> Iterator[Translated]:
        """What ``translate_stream`` would yield for these documents."""
        ordinal = 0
        for paper in papers:
            if isinstance(paper, Finding):
                yield paper
                continue
            ordinal += 1
            yield from self._document(payload, ordinal, paper)

    def _document(self, payload: PayloadRecord, ordinal: int, paper: Paper) -> Iterator[Translated]:
        document = Document(
            id=f"doc-{sha(f'{payload.sha256}:{ordinal}')[:20]}",
            payload=payload.sha256,
            start=DocumentStart(
                ordinal=ordinal, type=paper.type, control_number=f"{ordinal:04}", attributes=paper.attributes
            ),
            partner="ACME",
            mapping="standard/x12_850",
            mapping_version="1",
        )
        yield DocumentOpened(document=document)
        facts = list(paper.facts)
        for start in range(0, len(facts), paper.chunk):
            some = pl.DataFrame(
                [fact.row(document.id) for fact in facts[start : start + paper.chunk]], schema=empty_events().schema
            )
            if paper.framed:
                some = some.with_columns(pl.lit(GAP).alias(FRAME), data=GAP + pl.col("data"))
            yield DocumentLines(lines=some.select("line"), events=some, parked=self._parked(()))
        if paper.parked:
            yield DocumentLines(lines=pl.DataFrame(), events=empty_events(), parked=self._parked(paper.parked))
        yield DocumentClosed(
            document=document,
            status=paper.status,
            lines=len(facts) + len(paper.parked),
            events=len(facts),
            parked=len(paper.parked),
            findings=tuple(paper.findings),
        )

    @staticmethod
    def _parked(lines: Sequence[tuple[int, str]]) -> pl.DataFrame:
        columns = {
            "item": pl.String,
            "lot": pl.String,
            ORDINAL: pl.Int64,
            LOCATION: pl.String,
            OFFSET: pl.Int64,
            LENGTH: pl.Int64,
            "_cause": pl.String,
        }
        rows = [("V-1", None, line, f"segment {line}", None, None, cause) for line, cause in lines]
        return pl.DataFrame(rows, schema=columns, orient="row")

    def store(self, ledger: Ledger, *papers: Paper | Finding, received_at: datetime = RECEIVED_AT) -> PayloadRecord:
        """A payload of its own with these documents, stored; the payload."""
        payload = self.payload(ledger, received_at=received_at)
        ledger.store(payload.id, self.translation(payload, papers))
        return payload

    @staticmethod
    def finding(code: str = "item.unknown", severity: Severity = Severity.ERROR, **fields: object) -> Finding:
        return Finding(code=code, severity=severity, stage=Stage.REFERENCE, message=f"{code} here", **fields)  # type: ignore[arg-type]

    Fact = Fact
    Paper = Paper


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()
