"""``--rewrite-golden``: write what comes out now into the golden folders, to be read in the diff."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="rewrite expected events and findings")


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether to rewrite the expected files instead of comparing with them."""
    return bool(request.config.getoption("--rewrite-golden", default=False))
