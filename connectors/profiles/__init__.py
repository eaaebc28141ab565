"""ERP profiles: the queries that read one kind of ERP's own tables, as data.

A profile is ``<name>.yaml`` beside this file. Its queries give the columns that
``mappings/standard/rows_*.yaml`` and the master tables expect, so that a channel needs no more than its
name::

    source: {kind: odbc, conn_id: our_erp, profile: tryton, take: [purchase_orders, receipts, stock]}

A profile is shipped once tests have run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from schemas.configuration import Strict, faults, read_yaml, unknown, yaml_files
from schemas.errors import ConfigError

FOLDER = Path(__file__).parent


class Profile(Strict):
    """What a profile's file says. The queries are checked with those of the channel that takes them."""

    profile: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str  #: the ERP, its versions and its database
    timezone: str | None = None
    parameters: dict[str, str | int] = {}  #: with what they are unless the channel says otherwise
    queries: list[dict[str, Any]]


@cache
def profiles() -> Mapping[str, Profile]:
    """Those that come with Crossdock, by name. Raises ConfigError for a file that is none."""
    found = {}
    for path in yaml_files(FOLDER):
        file, problems = read_yaml(path)
        problems = problems or file.told(faults(Profile, file.content))
        if problems:
            raise ConfigError(f"{path} cannot be used", problems=tuple(problems))
        found[path.stem] = Profile.model_validate(file.content)
    return found


def merged(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a source with its profile's queries, zone and parameters. Raises ValueError for unknown names."""
    known = profiles()
    if given["profile"] not in known:
        raise ValueError(f"profile: {unknown('profile', given['profile'], known)}")
    profile = known[given["profile"]]
    queries = {query["name"]: query for query in profile.queries}
    take = given.get("take") or list(queries)
    for name in take:
        if name not in queries:
            raise ValueError(f"take: {unknown('query', name, queries)}")
    chosen = {name: queries[name] for name in take}
    for own in given.get("queries", ()):
        if isinstance(own, dict) and (name := own.get("name")) is not None:
            chosen[name] = _over(chosen.get(name, {}), own)
    return {
        "timezone": profile.timezone,
        **given,
        "queries": list(chosen.values()),
        "parameters": {**profile.parameters, **given.get("parameters", {})},
    }


def _over(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with what ``own`` says otherwise, key by key within ``reconcile`` too."""
    inner = {key: {**given[key], **value} for key, value in own.items() if isinstance(value, dict) and key in given}
    return {**given, **own, **inner}
