"""The path notation and its errors."""

from __future__ import annotations

import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.paths import Loop, Place, read_place
from schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("PO107", Place("PO107", (), "PO1", None, 7)),
        ("N104", Place("N104", (), "N1", None, 4)),
        ("PO103-2", Place("PO103-2", (), "PO1", None, 3, 2)),
        ("N1[ST]04", Place("N1[ST]04", (), "N1", "ST", 4)),
        ("DTM[011]02", Place("DTM[011]02", (), "DTM", "011", 2)),
        ("LIN[VN]", Place("LIN[VN]", (), "LIN", "VN", 0)),
        ("N1[ST]/N402", Place("N1[ST]/N402", (Loop("N1", "ST"),), "N4", None, 2)),
        ("HL[P]/MAN[GM]02", Place("HL[P]/MAN[GM]02", (Loop("HL", "P"),), "MAN", "GM", 2)),
    ],
)
def test_notation(text: str, place: Place) -> None:
    assert read_place(text) == place


@pytest.mark.parametrize("text", ["", "PO1", "PO100", "po107", "PO107-", "LIN[]", "[ST]04", "N1[ST", "PO107/", "PO1-2"])
def test_no_path(text: str) -> None:
    assert read_place(text) is None


def test_every_bad_path_is_named_with_the_nearest_good_one() -> None:
    with pytest.raises(ConfigError) as caught:
        X12().compile("x12.850", "PO", ["BEG03", "BEH03", "PO199", "N1[ST]", "BEG05-2", "XY/N402", "gibberish"], {})
    story = str(caught.value)
    assert len(caught.value.problems) == 7
    for part in ("no loop 'PO'; did you mean PO1?", "no segment BEH; did you mean BEG?", "PO1 ends with PO125"):
        assert part in story
    for part in ("N1 holds no qualifier/id pairs", "BEG05 has no components", "no loop XY", "'gibberish' is no path"):
        assert part in story


def test_an_unknown_set_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="850, 855, 856"):
        X12().compile("x12.859", "PO1", [], {})
