"""The machine-wide lock, with real processes: measuring is exclusive and does not starve."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.exclusive import LOCKS, Machine

pytestmark = pytest.mark.skipif(not LOCKS, reason="this system has no flock")
FORK = multiprocessing.get_context("fork")


def step_for_ever(folder: Path, journal: Path, pause: float) -> None:
    """Write the time of each step, of `pause` seconds, as training does."""
    machine = Machine(folder)
    with machine.shared(), journal.open("a", buffering=1) as file:
        while True:
            machine.give_way()
            file.write(f"{time.monotonic()}\n")
            time.sleep(pause)
            file.write(f"{time.monotonic()}\n")


def hold_for_ever(folder: Path, ready: Path) -> None:
    with Machine(folder).shared():
        ready.touch()
        time.sleep(60)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and (path.name == "ready" or path.stat().st_size)):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def trainers(tmp_path):
    """Two processes that train with overlapping steps; gives their journals."""
    journals = [tmp_path / "one", tmp_path / "two"]
    processes = [
        FORK.Process(target=step_for_ever, args=(tmp_path / "locks", journal, pause), daemon=True)
        for journal, pause in zip(journals, (0.02, 0.03), strict=True)
    ]
    for process in processes:
        process.start()
    for journal in journals:
        wait_for(journal)
    yield journals
    for process in processes:
        process.kill()
        process.join()


def test_nobody_steps_while_somebody_measures(tmp_path, trainers):
    spans = []
    for _ in range(3):
        asked = time.monotonic()
        with Machine(tmp_path / "locks").alone() as alone:
            start = time.monotonic()
            time.sleep(0.15)
            assert alone()
            spans.append((start, time.monotonic()))
        assert start - asked < 5  # it got its turn although steps of the two always overlap
    time.sleep(0.3)
    for journal in trainers:
        times = [float(line) for line in journal.read_text().splitlines()]
        assert times[-1] > spans[-1][1], "training went on afterwards"
        assert [t for t in times for start, end in spans if start < t < end] == []


def test_the_lock_of_a_killed_process_vanishes(tmp_path):
    ready = tmp_path / "ready"
    process = FORK.Process(target=hold_for_ever, args=(tmp_path, ready))
    process.start()
    wait_for(ready)
    with Machine(tmp_path, patience_seconds=0.1).alone() as alone:
        assert not alone()
    process.kill()
    process.join()
    with Machine(tmp_path, patience_seconds=0.1).alone() as alone:
        assert alone()


def test_a_trainer_waits_only_so_long_for_one_who_measures(tmp_path):
    with Machine(tmp_path).alone() as alone:
        assert alone()
        start = time.monotonic()
        with Machine(tmp_path, patience_seconds=0.05).shared():
            pass
        assert 0.05 < time.monotonic() - start < 5
        assert not alone()  # even though the intruder has gone


def test_an_intruder_is_one_until_it_gets_the_lock(tmp_path):
    intruder = Machine(tmp_path, patience_seconds=0.05)
    with Machine(tmp_path).alone(), intruder.alone() as alone:
        assert not alone()
    with intruder.shared(), Machine(tmp_path, patience_seconds=0.05).alone() as alone:
        assert not alone()
    with ExitStack() as first:
        first.enter_context(Machine(tmp_path).alone())
        with intruder.shared():  # waited in vain
            first.close()
            with Machine(tmp_path).alone() as alone:
                assert not alone()
            intruder.give_way()
    with Machine(tmp_path).alone() as alone:
        assert alone()


def test_many_compute_at_once(tmp_path):
    with Machine(tmp_path, patience_seconds=0).shared(), Machine(tmp_path, patience_seconds=0).shared():
        pass


def test_giving_way_is_cheap(tmp_path):
    machine = Machine(tmp_path)
    with machine.shared():
        start = time.perf_counter()
        for _ in range(100):
            machine.give_way()
        assert time.perf_counter() - start < 1  # measured: 3 microseconds each
