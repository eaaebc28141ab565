"""``crossdock lint``: every fault of every file at once, each with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.lint import lint
from crossdock.settings import Settings

if TYPE_CHECKING:
    from conftest import Installation


def test_what_is_shipped_has_no_problems() -> None:
    linted = lint(Settings.from_environment({}))

    assert linted.problems == ()
    assert linted.channels >= 4
    assert linted.mappings >= 8
    assert linted.partners >= 6


def test_a_sound_installation_says_what_was_looked_at(installation: Installation) -> None:
    result = installation.run("lint")

    assert result.exit_code == 0
    assert result.stdout.startswith("1 channel, 1 outlet, ")
    assert result.stdout.endswith("1 partner, 0 agreements: no problems\n")


def test_every_problem_of_every_file_comes_at_once_with_file_and_line(installation: Installation) -> None:
    (installation.home / "channels" / "second.yaml").write_text(
        "channel: second\ndescription: two faults\nsource:\n  kind: folder\n  paht: in\nbatch: 0\n"
    )
    (installation.home / "channels" / "third.yaml").write_text(
        "channel: third\npartner: ACNE\nsource: {kind: folder, path: in}\n"
    )
    (installation.home / "outlets" / "bus.yaml").write_text("outlet: bus\nsink:\n  kind: kafak\n")
    (installation.home / "partners" / "worse.yaml").write_text(
        "partner: WORSE\ntier: golden\ndocuments:\n  x12.856:\n    fields:\n      item: LIN[ZZZZ\n"
    )
    (installation.home / "outlets" / "ragged.yaml").write_text("outlet: [ragged\n")

    result = installation.run("lint")
    problems = {line.split(": ", 2)[0]: line for line in result.stdout.splitlines()}

    assert result.exit_code == 1
    assert "did you mean 'path'?" in problems["channels/second.yaml:5"]
    assert "batch" in problems["channels/second.yaml:6"]
    assert "did you mean 'ACME'?" in problems["channels/third.yaml:2"]
    assert "kafak" in problems["outlets/bus.yaml:3"]
    assert "golden" in problems["partners/worse.yaml:2"]
    assert any(place.startswith("outlets/ragged.yaml:") for place in problems)
    assert result.stderr.rstrip().endswith("problems")


def test_a_path_that_the_format_cannot_have_is_a_problem_of_its_line(installation: Installation) -> None:
    (installation.home / "partners" / "odd.yaml").write_text(
        "partner: ODD\ndocuments:\n  x12.856:\n    fields:\n      item: LIN[ZZZZ\n"
    )

    (problem,) = lint(installation.settings).problems

    assert problem.startswith("partners/odd.yaml:5: documents.x12.856.fields.item: ")
    assert "LIN[ZZZZ" in problem


def test_a_folder_that_is_not_there_is_a_problem_and_not_an_exception(installation: Installation) -> None:
    installation.environment["CROSSDOCK_CHANNELS"] = str(installation.home / "nowhere")

    result = installation.run("lint")

    assert result.exit_code == 1
    assert "there is no such folder" in result.stdout


def test_answers_to_an_outlet_that_carries_none_are_told(installation: Installation) -> None:
    partner = installation.home / "partners" / "acme.yaml"
    partner.write_text(f"{partner.read_text()}acknowledge:\n  functional: 997\n  to: feed\n")
    result = installation.run("lint")
    assert result.exit_code == 1
    assert "acme.yaml:6: acknowledge.to: unknown outlet for documents 'feed'" in result.stdout
