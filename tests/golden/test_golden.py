"""Golden folders: each holds an input and everything that comes of it.

``cases/<document type>/<case>/`` holds ``input.*``, ``events.jsonl`` and ``findings.jsonl``; optionally
``case.yaml`` (``metadata`` as a channel would give it, ``lenient``, ``why``), ``master/*.csv`` (tables in place
of the shared ones) and ``partners/*.yaml`` (in place of the shipped partners). The expected files are
rewritten by ``make golden`` only, and reviewed in the diff.

An event stands there without ``lineage.mapping_version``, so that a change of a mapping shows what it
changes and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from connectors.registry import formats
from crossdock.contract.generating import event_schema
from crossdock.settings import Settings
from crossdock.translation import (
    Context,
    DocumentClosed,
    DocumentLines,
    DocumentOpened,
    Translated,
    compile_with,
    translate_stream,
)
from mappings.frames import unframed
from mappings.library import Library
from mappings.master_data import MasterData
from schemas.events import DATA_OF, Stream
from schemas.findings import Finding

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("cases/*/*/input.*"))
RECEIVED = "2026-04-01T06:00:00+00:00"


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_case(case: Path, rewrite: bool) -> None:
    translated = list(translation_of(case))
    found = {"events.jsonl": events_in(translated), "findings.jsonl": findings_in(translated)}
    for name, lines in found.items():
        if rewrite:
            (case / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        assert lines == (case / name).read_text("utf-8").splitlines()


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_events_satisfy_the_published_schema(case: Path) -> None:
    for item in translation_of(case):
        if isinstance(item, DocumentLines):
            for row in unframed(item.events).iter_rows(named=True):
                stream = Stream(row["stream"])
                validator(stream).validate(cloud_event(row))
                msgspec.json.decode(row["data"], type=DATA_OF[stream])


def test_every_mapped_document_type_has_a_case() -> None:
    mapped = {
        yaml.safe_load(path.read_text("utf-8"))["document"]
        for path in Settings.from_environment({}).mappings.glob("*.yaml")
    }
    assert mapped <= {case.parent.name for case in CASES}


def translation_of(case: Path) -> Iterator[Translated]:
    given = case_file(case)
    (source,) = case.glob("input.*")
    content = source.read_bytes()
    with source.open("rb") as stream:
        yield from translate_stream(
            stream,
            payload=hashlib.sha256(content).hexdigest(),
            name=given.get("name", source.name),
            metadata={"received_at": RECEIVED, **given.get("metadata", {})},
            context=Context(
                library=library(case / "partners" if (case / "partners").is_dir() else None),
                master=master(case / "master" if (case / "master").is_dir() else HERE / "master"),
                formats=formats(),
                lenient=given.get("lenient", False),
            ),
        )


def case_file(case: Path) -> Mapping[str, Any]:
    path = case / "case.yaml"
    return yaml.safe_load(path.read_text("utf-8")) if path.exists() else {}


@functools.cache
def library(partners: Path | None) -> Library:
    settings = Settings.from_environment({})
    return Library.load(settings.mappings, partners or settings.partners, compile=compile_with(formats()))


@functools.cache
def master(folder: Path) -> MasterData:
    return MasterData.of({path.stem: pl.read_csv(path, infer_schema=False) for path in folder.glob("*.csv")})


@functools.cache
def validator(stream: Stream) -> Draft202012Validator:
    return Draft202012Validator(event_schema(stream), format_checker=FormatChecker())


def cloud_event(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as it would be published as its key's first revision."""
    return {
        "specversion": "1.0",
        "id": row["id"],
        "source": "/crossdock/golden",
        "type": Stream(row["stream"]).type,
        "subject": row["subject"],
        "time": row["time"],
        "recordedtime": RECEIVED,
        "partitionkey": row["subject"],
        "sequence": 1,
        "correlationid": "golden",
        "datacontenttype": "application/json",
        "dataschema": "golden",
        "data": json.loads(row["data"]),
    }


def events_in(translated: list[Translated]) -> list[str]:
    """One line an event, in order; those of rejected documents are not published and not here."""
    lines: list[str] = []
    pending: list[str] = []
    for item in translated:
        match item:
            case DocumentOpened():
                pending = []
            case DocumentLines():
                pending += [written(row) for row in unframed(item.events).iter_rows(named=True)]
            case DocumentClosed():
                lines += pending if item.status != "rejected" else []
    return lines


def written(row: Mapping[str, Any]) -> str:
    data = json.loads(row["data"])
    del data["lineage"]["mapping_version"]
    told = ("id", "stream", "kind", "subject", "time", "line")
    return json.dumps({name: row[name] for name in told} | {"data": data}, ensure_ascii=False)


def findings_in(translated: list[Translated]) -> list[str]:
    """One line a document with its verdict, below it its findings; those of the payload as they come."""
    lines: list[str] = []
    pending: list[Finding] = []
    for item in translated:
        match item:
            case Finding():
                lines.append(msgspec.json.encode(item).decode())
            case DocumentOpened():
                pending = []
            case DocumentLines():
                pending += item.findings
            case DocumentClosed(document=document):
                pending += item.findings
                told = {
                    "document": document.start.type,
                    "control_number": document.start.control_number,
                    "partner": document.partner,
                    "status": item.status,
                    "lines": item.lines,
                    "events": item.events,
                    "parked": item.parked,
                }
                lines.append(json.dumps(told, ensure_ascii=False))
                lines += [msgspec.json.encode(finding).decode() for finding in pending]
    return lines
