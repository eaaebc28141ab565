"""Channel and outlet files: every fault named at once, one broken file stopping no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.channel import load_channels, read_channel
from connectors.outlet import load_outlets
from schemas.errors import ConfigError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "channel: inbox\nsource: {kind: folder, path: inbox}\n"


def test_a_broken_file_stops_no_other(tmp_path: Path) -> None:
    write(tmp_path, "good.yaml", GOOD)
    write(tmp_path, "syntax.yaml", "channel: [")
    write(tmp_path, "empty.yaml", "")
    write(tmp_path, "wrong.yaml", "channel: wrong\nsource: {kind: folder}\n")
    channels = load_channels(tmp_path)
    assert set(channels) == {"inbox"}
    assert set(channels.broken) == {"syntax", "empty", "wrong"}
    with pytest.raises(ConfigError) as told:
        channels.check()
    assert len(told.value.problems) == 3
    assert all(
        problem.startswith(f"{tmp_path.name}/") and problem.split(":")[1].isdigit() for problem in told.value.problems
    )


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "bad.yaml",
        """
channel: Bad Name
purpose: event
schedul: "* * * * *"
batch: many
format: wrkbook
source: {kind: folder, path: inbox, quiet: soon, patern: "*.edi"}
""",
    )
    with pytest.raises(ConfigError) as told:
        read_channel(path)
    story = "\n".join(told.value.problems)
    for expected in (
        ":2: channel: String should match pattern '^[a-z0-9][a-z0-9_-]*$', not 'Bad Name'",
        ":3: purpose: unknown word 'event'; did you mean 'events'? known: events, master_data",
        ":4: schedul: unknown key 'schedul'; did you mean 'schedule'?",
        ":5: batch: should be a valid integer, unable to parse string as an integer, not 'many'",
        ":6: format: unknown format 'wrkbook'; did you mean 'workbook'?",
        ":7: source.quiet: 'soon': not a duration",
        ":7: source.patern: unknown key 'patern'; did you mean 'pattern'?",
    ):
        assert expected in story
    assert len(told.value.problems) == 7


def test_a_length_of_time_that_cannot_be_is_told_as_one(tmp_path: Path) -> None:
    keys = "{sql: SELECT 1, every: 0s}"
    query = f"{{name: stock, sql: SELECT 1, key: [a], reconcile: {keys}}}"
    path = write(tmp_path, "erp.yaml", f"channel: erp\nsource: {{kind: odbc, conn_id: erp, queries: [{query}]}}\n")
    with pytest.raises(ConfigError) as told:
        read_channel(path)
    assert [problem.partition("every: ")[2] for problem in told.value.problems] == [
        "should be greater than 0 seconds, not 0:00:00"
    ]


@pytest.mark.parametrize(
    "schedule", ["*/5 * * * *", "0 * * * *", "@hourly", "15,45 6-18 1-31/2 * 1-5", "59 23 31 12 7"]
)
def test_a_schedule_is_cron(tmp_path: Path, schedule: str) -> None:
    assert read_channel(write(tmp_path, "a.yaml", f"{GOOD}schedule: '{schedule}'\n")).schedule == schedule


@pytest.mark.parametrize(
    "schedule", ["*/5 * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "hourly", ""]
)
def test_what_airflow_could_not_keep_is_no_schedule(tmp_path: Path, schedule: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule: .*: not a schedule; write five cron fields"):
        read_channel(write(tmp_path, "a.yaml", f"{GOOD}schedule: '{schedule}'\n"))


def test_an_unknown_key_deep_in_a_list_is_compared_with_its_own_neighbours(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "erp.yaml",
        "channel: erp\nsource: {kind: odbc, conn_id: x, queries: [{name: po, sql: SELECT 1, watrmark: a}]}\n",
    )
    with pytest.raises(
        ConfigError, match=r"source\.queries\.0\.watrmark: unknown key 'watrmark'; did you mean 'watermark'"
    ):
        read_channel(path)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{name: po, sql: 'SELECT * FROM po WHERE at > :watermrk', watermark: at}", "did you mean ':watermark'"),
        ("{name: po, sql: 'SELECT * FROM po', watermark: at}", "nowhere says :watermark"),
        ("{name: po, sql: 'SELECT * FROM po WHERE at > :watermark'}", "watermark: is missing"),
        ("{name: po, sql: 'SELECT * FROM po WHERE at > ?'}", "bare '?'"),
        ("{name: po, sql: 'DELETE FROM po'}", "must begin with SELECT"),
    ],
)
def test_a_query_that_cannot_be_meant(tmp_path: Path, query: str, told: str) -> None:
    path = write(tmp_path, "erp.yaml", f"channel: erp\nsource: {{kind: odbc, conn_id: x, queries: [{query}]}}\n")
    with pytest.raises(ConfigError) as error:
        read_channel(path)
    assert told in str(error.value)


def test_two_files_cannot_claim_one_name(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", GOOD)
    write(tmp_path, "b.yaml", GOOD)
    channels = load_channels(tmp_path)
    assert set(channels) == {"inbox"}
    assert "already taken by" in str(channels.broken["b"])


def test_a_doubled_key_is_refused_where_it_stands_again(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", f"{GOOD}batch: 1\nbatch: 2\n")
    with pytest.raises(ConfigError) as told:
        read_channel(path)
    assert told.value.problems == (f"{tmp_path.name}/a.yaml:4: batch: stands here a second time",)


def test_what_looks_like_a_truth_or_an_octal_number_in_old_yaml_is_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.yaml", "channel: no\npartner: 0123\ndescription: 2026-03-02\nsource: {kind: folder, path: on}\n"
    )
    channel = read_channel(path)
    assert (channel.channel, channel.partner, channel.description) == ("no", "0123", "2026-03-02")
    assert channel.source["path"] == "on"


def test_an_alias_may_share_a_value_but_not_hold_itself(tmp_path: Path) -> None:
    shared = "channel: &name inbox\npartner: *name\nsource: {kind: folder, path: *name}\n"
    assert read_channel(write(tmp_path, "a.yaml", shared)).partner == "inbox"
    with pytest.raises(ConfigError, match=r"a\.yaml:2: source\.path: holds itself, by an alias"):
        read_channel(write(tmp_path, "a.yaml", "channel: inbox\nsource: &all {kind: folder, path: *all}\n"))


def test_a_name_taken_twice_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", GOOD)
    write(tmp_path, "b.yaml", f"description: again\n{GOOD}")
    (problem,) = load_channels(tmp_path).problems
    assert problem == f"{tmp_path.name}/b.yaml:2: channel: 'inbox' is already taken by {tmp_path.name}/a.yaml"


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load_channels(tmp_path / "nowhere")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"channel: \xff")
    assert "cannot be read" in str(load_channels(tmp_path).broken["a"])


def test_outlets_are_checked_alike(tmp_path: Path) -> None:
    write(tmp_path, "good.yaml", "outlet: feed\nsink: {kind: folder}\n")
    write(tmp_path, "bad.yaml", "outlet: hub\nsink: {kind: htp}\n")
    write(tmp_path, "bare.yaml", "outlet: hub\nsink: {kind: http}\n")
    outlets = load_outlets(tmp_path)
    assert set(outlets) == {"feed"}
    assert "did you mean 'http'" in str(outlets.broken["bad"])
    assert "needs url or conn_id" in str(outlets.broken["bare"])


def test_the_shipped_channels_and_outlets_are_whole() -> None:
    tree = Path(__file__).resolve().parents[3] / "connectors"
    load_channels(tree / "channels").check()
    load_outlets(tree / "outlets").check()
