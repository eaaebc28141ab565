"""Tables judged by Great Expectations: suites are files, the verdict is plain.

Suites lie as JSON in ``schemas/expectations``, in Great Expectations' own form, one file a table, to
be edited by hand. Each expectation's ``meta.notes`` is the sentence people read when it is not met;
``severity`` says what follows: ``critical`` fails the table, ``warning`` and ``info`` are merely said.

Great Expectations costs four seconds and 200 MB to import, so it is imported inside ``judge`` alone;
none of its types leaves this module. It asks nothing of the network and reports to nobody.
"""

from __future__ import annotations

import fcntl
import gc
import json
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import polars as pl

from mappings.integrity import ROW
from schemas.errors import ConfigError

SAMPLES = 20  #: offending rows that a verdict shows of each expectation
RESULTS = ".results"  #: folder under the Data Docs that holds the results they are built from
KEPT_RUNS = 50  #: runs that Data Docs go back to, for each suite

Severity = Literal["critical", "warning", "info"]
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite file. ``least_share`` is how much of the rows in force a new load must at least have."""

    name: str
    file: Path
    least_share: Decimal
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """One expectation that the table does not meet."""

    sentence: str
    severity: Severity
    column: str  #: the column or columns it is about; empty: the table as a whole
    count: int  #: offending rows; 0 where the table as a whole offends
    samples: tuple[str, ...] = ()  #: distinct offending values, most frequent first
    rows: tuple[int, ...] = ()  #: numbers of offending rows, from 1, the first few

    def __str__(self) -> str:
        """``No two items ...: 3 rows, such as 'P1' (rows 4, 7, 9)``."""
        if not self.count:
            return f"{self.sentence.rstrip('.')}: {', '.join(self.samples) or 'not met'}"
        shown = ", ".join(repr(sample) for sample in self.samples[:3])
        rows = ", ".join(map(str, self.rows[:5])) + (", ..." if self.count > 5 else "")
        place = f" (row{'s' * (self.count > 1)} {rows})" if self.rows else ""
        return f"{self.sentence.rstrip('.')}: {self.count} row{'s' * (self.count > 1)}, such as {shown}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one table. ``success``: every critical expectation is met."""

    table: str
    rows: int
    expectations: int
    unmet: tuple[Unmet, ...] = ()

    @property
    def success(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[Unmet, ...]:
        return tuple(unmet for unmet in self.unmet if unmet.severity == "critical")

    @property
    def warnings(self) -> tuple[Unmet, ...]:
        return tuple(unmet for unmet in self.unmet if unmet.severity != "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A table to judge: its rows with the check columns of ``mappings.integrity``, by which suite.

    ``parameters`` fill the suite's ``{"$PARAMETER": ...}`` places.
    """

    suite: Suite
    rows: pl.DataFrame
    parameters: Mapping[str, float] = field(default_factory=dict)


def read_suite(file: Path) -> Suite:
    """The suite in ``file``. Raises ConfigError with all that is wrong about its shape."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: is not JSON in UTF-8: {error}") from error
    if problems := tuple(_problems(content, file.stem)):
        raise ConfigError(f"{file}: is not an expectation suite", problems=problems)
    share = Decimal(content.get("meta", {}).get("least_share", "0"))
    return Suite(name=content["name"], file=file, least_share=share, content=content)


def judge(cases: Iterable[Case], *, data_docs: Path | None = None, run: str = "") -> list[Verdict]:
    """Run each case's suite over its rows; verdicts in the order of ``cases``, of which one is held at a time.

    With ``data_docs`` the results also become pages under that folder (``index.html`` lists them, the
    last ``KEPT_RUNS`` runs are kept); ``run`` names this run there. Raises ConfigError naming the
    file of a suite that Great Expectations does not understand.
    """
    gx = _great_expectations()
    context = gx.get_context(project_config=_project(gx, data_docs), mode="ephemeral")
    verdicts: list[Verdict] = []
    for case in cases:
        verdicts.append(_verdict(gx, context, case, f"{case.suite.name} {len(verdicts) + 1}", run))
        del case
        context.data_sources.delete(_SOURCE)
        gc.collect()  # the source holds the rows, in cycles: large ones must not add up
    if data_docs is not None:
        with _alone(data_docs):
            _forget_old_runs(data_docs)
            context.build_data_docs()
    return verdicts


def _verdict(gx: Any, context: Any, case: Case, name: str, run: str) -> Verdict:
    source = context.data_sources.add_pandas(_SOURCE)
    suite = context.suites.add_or_update(_suite(gx, case.suite))
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("load")
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    context.validation_definitions.add(definition)
    result = definition.run(
        batch_parameters={"dataframe": _to_pandas(case.rows, compared=_compared_columns(case.suite))},
        expectation_parameters=dict(case.parameters),
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": SAMPLES,
            "unexpected_index_column_names": [ROW],
        },
        run_id=gx.core.run_identifier.RunIdentifier(run_name=run or None),
    ).to_json_dict()
    unmet = tuple(_unmet(one) for one in result["results"] if not one["success"])
    return Verdict(table=case.suite.name, rows=case.rows.height, expectations=len(result["results"]), unmet=unmet)


# -- Great Expectations, kept in here -----------------------------------------------------------------


def _great_expectations() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import great_expectations as gx
        import great_expectations.core.run_identifier
        import great_expectations.data_context.types.base
        from great_expectations.execution_engine import pandas_execution_engine
    # tables of fewer bytes get a fingerprint that nobody asks for; of three million rows it takes 0.3 GB
    pandas_execution_engine.HASH_THRESHOLD = 0
    return gx


def _project(gx: Any, data_docs: Path | None) -> Any:
    """Everything in memory, but results and pages in ``data_docs`` where it is given."""
    types = gx.data_context.types.base
    project = types.DataContextConfig(
        store_backend_defaults=types.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=types.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    if data_docs is not None:
        project.stores["validation_results_store"] = {
            "class_name": "ValidationResultsStore",
            "store_backend": _folder(data_docs / RESULTS),
        }
        project.data_docs_sites = {
            "master_data": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": _folder(data_docs),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        }
    return project


_SOURCE = "master_data"


def _folder(path: Path) -> dict[str, str]:
    path.mkdir(parents=True, exist_ok=True)
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(path.absolute())}


def _suite(gx: Any, suite: Suite) -> Any:
    """The suite as Great Expectations wants it.

    Each expectation is built on its own: given all at once, those it does not understand are logged and dropped.
    """
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    built, problems = [], []
    for place, one in enumerate(suite.content["expectations"], start=1):
        try:
            built.append(ExpectationConfiguration(**one).to_domain_obj())
        except (gx.exceptions.GreatExpectationsError, ValueError, TypeError) as error:
            problems.append(f"expectations[{place}]: {' '.join(str(error).split())}")
    if problems:
        raise ConfigError(f"{suite.file}: Great Expectations does not accept this suite", problems=tuple(problems))
    return gx.ExpectationSuite(name=suite.name, expectations=built, meta=dict(suite.content.get("meta", {})))


def _compared_columns(suite: Suite) -> set[str]:
    """Those that an expectation compares with each other."""
    kwargs = [one["kwargs"] for one in suite.content["expectations"]]
    return {one[name] for one in kwargs for name in ("column_A", "column_B") if name in one}


def _to_pandas(rows: pl.DataFrame, *, compared: Container[str] = ()) -> Any:
    """``rows``, None for empty. Texts that repeat are categories, so that millions of rows stay small; as categories
    cannot be ``compared``, there they are objects."""
    import pandas as pd

    columns = {}
    for series in rows:
        if series.dtype != pl.String:
            columns[series.name] = series.to_numpy()
            continue
        texts = series.set(series == "", None)
        distinct = texts.drop_nulls().unique()
        if len(distinct) * _REPEATED > len(texts):
            columns[series.name] = texts.to_numpy()
            continue
        places = texts.cast(pl.Enum(distinct)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
        few = pd.Categorical.from_codes(places, categories=distinct.to_numpy())
        columns[series.name] = few.astype(object) if series.name in compared else few
    return pd.DataFrame(columns, copy=False)


_REPEATED = 2  # times that a text stands in a column on average, for which categories are smaller


def _unmet(one: Mapping[str, Any]) -> Unmet:
    expectation, result = one["expectation_config"], one["result"]
    kwargs = expectation["kwargs"]
    column = kwargs.get("column") or ", ".join(
        kwargs.get("column_list", [kwargs[name] for name in ("column_A", "column_B") if name in kwargs])
    )
    sentence = expectation["meta"].get("notes") or f"{expectation['type']} {column}".strip()
    if troubles := tuple(_troubles(one["exception_info"])):
        samples = troubles
    elif "observed_value" in result:
        samples = (_compared(result["observed_value"], kwargs),)
    else:
        samples = tuple(_text(entry["value"]) for entry in result.get("partial_unexpected_counts", ()))
    return Unmet(
        sentence=sentence,
        severity=expectation["severity"],
        column=column,
        count=result.get("unexpected_count", 0),
        samples=samples,
        rows=tuple(sorted(entry[ROW] for entry in result.get("partial_unexpected_index_list") or () if ROW in entry)),
    )


def _troubles(info: Mapping[str, Any]) -> Iterator[str]:
    """Why the expectation could not be looked at: one message, or one for each metric that failed."""
    for one in [info] if "raised_exception" in info else info.values():
        if one.get("raised_exception"):
            yield f"could not be checked: {one.get('exception_message')}"


def _compared(observed: object, kwargs: Mapping[str, Any]) -> str:
    bounds = [
        f"{word} {kwargs[name]}"
        for name, word in (("min_value", "at least"), ("max_value", "at most"))
        if kwargs.get(name) is not None
    ]
    return f"found {observed}" + (f", expected {' and '.join(bounds)}" if bounds else "")


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " / ".join(_text(part) for part in value)
    return "" if value is None else str(value)


@contextmanager
def _alone(data_docs: Path) -> Iterator[None]:
    """One process at a time makes pages: DAGs of several channels may come to it at once."""
    with (data_docs / RESULTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old_runs(data_docs: Path) -> None:
    """Delete the results and pages of all but the latest runs of each suite."""
    for root in (data_docs / RESULTS, data_docs / "validations"):
        for suite in root.glob("*"):
            leaves = sorted((leaf for leaf in suite.glob("*/*/*") if leaf.is_file()), key=lambda leaf: leaf.parent.name)
            for leaf in leaves[:-KEPT_RUNS]:
                leaf.unlink(missing_ok=True)


def _problems(content: object, stem: str) -> Iterator[str]:
    if not isinstance(content, dict):
        yield "the file holds no JSON object"
        return
    if content.get("name") != stem:
        yield f"name: {content.get('name')!r}, expected {stem!r} as the file is called"
    try:
        if not 0 <= Decimal(content.get("meta", {}).get("least_share", "0")) <= 1:
            yield "meta.least_share: expected a number from 0 to 1, as text"
    except (InvalidOperation, TypeError, ValueError, AttributeError):
        yield "meta.least_share: expected a number from 0 to 1, as text"
    expectations = content.get("expectations")
    if not isinstance(expectations, list) or not expectations:
        yield "expectations: expected a list with at least one entry"
        return
    for place, one in enumerate(expectations, start=1):
        if not isinstance(one, dict) or not isinstance(one.get("type"), str) or not isinstance(one.get("kwargs"), dict):
            yield f"expectations[{place}]: expected an object with type and kwargs"
        elif one.get("severity", "critical") not in _SEVERITIES:
            yield f"expectations[{place}].severity: {one['severity']!r}, expected one of {', '.join(_SEVERITIES)}"
