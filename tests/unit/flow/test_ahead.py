"""What runs ahead keeps order, errors and bounds, and never outlives the one it runs for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from crossdock.ahead import LOAD, LOADS, QUICK, ahead


def _counting(made: list[int], end: int, error: Exception | None = None) -> Iterator[int]:
    try:
        for number in range(end):
            made.append(number)
            yield number
        if error is not None:
            raise error
    finally:
        made.append(-1)


def _threads() -> int:
    return sum(thread.name == "working ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("end", [0, 1, LOAD, 3 * LOAD + 1])
def test_all_items_come_in_order(end: int) -> None:
    made: list[int] = []
    assert list(ahead(_counting(made, end))) == list(range(end))
    assert made == [*range(end), -1]
    assert _threads() == 0


def test_an_error_comes_where_its_item_would_have_come() -> None:
    items = ahead(_counting([], 2, ZeroDivisionError()))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(items)
    assert _threads() == 0


def test_it_runs_ahead_only_so_far_and_ends_when_it_is_closed() -> None:
    made: list[int] = []
    with closing(ahead(_counting(made, 1_000), weigh=lambda _: LOAD)) as items:
        assert next(items) == 0
    assert made[-1] == -1
    assert len(made) <= LOADS + 5
    assert _threads() == 0


def test_it_does_not_wait_for_the_next_step() -> None:
    """The second item is made while the first one is still being used."""
    second = threading.Event()

    def making() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    with closing(ahead(making(), weigh=lambda _: LOAD)) as items:
        assert next(items) == 1
        assert second.wait(10)


def test_what_the_taker_would_begin_with_is_done_ahead_while_it_is_busy() -> None:
    prepared: list[int] = []
    done = threading.Event()

    def prepare(number: int) -> None:
        assert threading.current_thread().name == "working ahead"
        prepared.append(number)
        if number == 2:
            done.set()

    going_on = threading.Event()

    def making() -> Iterator[int]:
        yield 0
        assert going_on.wait(10)
        yield 1
        yield 2

    with closing(ahead(making(), weigh=lambda _: LOAD, prepare=prepare)) as items:
        assert next(items) == 0  # which was waited for
        going_on.set()
        assert done.wait(10)
        assert list(items) == [1, 2]
    assert prepared == [1, 2]


def test_what_preparing_raises_is_raised_and_no_item_is_lost() -> None:
    going_on, failed = threading.Event(), threading.Event()

    def making() -> Iterator[int]:
        yield 0
        assert going_on.wait(10)
        yield 1

    def prepare(_: int) -> None:
        failed.set()
        raise ZeroDivisionError

    with closing(ahead(making(), weigh=lambda _: LOAD, prepare=prepare)) as items:
        assert next(items) == 0
        going_on.set()
        assert failed.wait(10)
        assert next(items) == 1
        with pytest.raises(ZeroDivisionError):
            next(items)
    assert _threads() == 0


def test_what_is_done_meanwhile_is_done_before_the_first_item_is_taken() -> None:
    first = threading.Event()

    def making() -> Iterator[int]:
        first.set()
        yield 1

    def refuse() -> None:
        assert first.wait(10)  # making goes on beside it
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(ahead(making(), meanwhile=refuse))
    assert _threads() == 0


def test_the_interpreter_changes_hands_sooner_only_while_somebody_works_ahead() -> None:
    usual = sys.getswitchinterval()
    assert usual > QUICK
    first, second = ahead(_counting([], 3)), ahead(_counting([], 3))
    with closing(first), closing(second):
        assert (next(first), next(second)) == (0, 0)
        assert sys.getswitchinterval() == pytest.approx(QUICK)
        first.close()
        assert sys.getswitchinterval() == pytest.approx(QUICK)
    assert sys.getswitchinterval() == pytest.approx(usual)
    assert _threads() == 0
