"""Generators in processes of their own: their items and their order, failures, and an early end."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from hanlin.errors import DataError, RunError
from hanlin.text.aside import aside, usable_cores


def test_items_come_in_order_whatever_the_number_of_processes():
    jobs = [(range, (0, 200)), (itertools.repeat, ("猫", 3)), (range, (0,))]
    found = []
    for processes in (1, 2):
        with aside(jobs, processes=processes) as streams:
            found.append([list(stream) for stream in streams])
    assert found[0] == found[1] == [list(range(200)), ["猫"] * 3, []]


def test_each_job_has_a_process_of_its_own():
    with aside([(_processes, ()), (_processes, ())], processes=2) as (one, other):
        assert len({next(one), next(other), os.getpid()}) == 3
    with aside([(_processes, ()), (_processes, ())], processes=1) as (one, other):
        assert {next(one), next(other)} == {os.getpid()}


def test_what_is_not_read_to_its_end_is_ended():
    with aside([(itertools.count, (n,)) for n in (0, 5)], processes=2) as (one, other):
        assert (next(one), next(other)) == (0, 5)


def test_a_process_that_fails_is_told(capfd: pytest.CaptureFixture[str]):
    jobs = [(map, (len, [[], 3])), (range, (2,))]
    with (
        aside(jobs, processes=2) as (broken, _),
        pytest.raises(RunError, match="ended early, with status 1"),
    ):
        list(broken)
    assert "TypeError" in capfd.readouterr().err


def test_what_a_job_finds_wrong_is_raised_as_it_is():
    with (
        aside([(_refusing, ())], processes=2) as (refusing,),
        pytest.raises(DataError, match="too small"),
    ):
        list(refusing)


def test_a_process_has_at_least_one_core():
    assert usable_cores() >= 1


def _refusing() -> Iterator[int]:
    yield 1
    raise DataError("The number 1 is too small.")


def _processes() -> Iterator[int]:
    yield os.getpid()
