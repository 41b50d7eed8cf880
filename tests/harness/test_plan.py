"""What runs, what is kept, what is unavailable; what is written before a run."""

from pathlib import Path

import pytest
from fake_catalogue import FakeCatalogue, write
from fake_cells import make_result

from harness.claims import Claim
from harness.expand import expand
from harness.grid import load_grid
from harness.options import Options, read_options
from harness.plan import Overwrite, Planned, counts, estimate_seconds, plan, prepare, remove_stale
from harness.run_folder import CLAIM, OPTIONS, RunFolder
from reports.record import State, Status, Times

GRID = "name: mine\nblocks:\n  - {suites: all, backbones: small, methods: [adapter], settings: {epochs: %d}}\n"


class Desk:
    """A run folder and a grid of two cells: "scenes", which is here, and "photos", which may be absent."""

    def __init__(self, folder: Path) -> None:
        self.grid = folder
        self.run = RunFolder(folder / "run")
        self.run.create()

    def plan(self, absent: bool = True, overwrite: Overwrite = "never", epochs: int = 5) -> dict[str, Planned]:
        catalogue = FakeCatalogue("photos are not here" if absent else None)
        cells = expand(load_grid(write(self.grid, GRID % epochs)), catalogue)
        return {entry.cell.suite: entry for entry in plan(cells, self.run, catalogue, overwrite)}

    def prepare(self, planned: dict[str, Planned]) -> list[str]:
        return [folder.cell().suite for folder in prepare(list(planned.values()), Options())]

    def tidy(self, planned: dict[str, Planned]) -> list[tuple[str, int]]:
        """Remove what is stale; return what is left as suite and epochs."""
        remove_stale(list(planned.values()), self.run)
        return sorted((folder.cell().suite, folder.cell().settings.epochs) for folder in self.run.cells())

    def finish(self, entry: Planned, state: State = "done", seconds: float = 8.0) -> None:
        entry.folder.write_cell(entry.cell)
        result = make_result(entry.cell, state)
        entry.folder.finish(result.model_copy(update={"times": Times(total=seconds)}))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_planning_writes_nothing(desk: Desk) -> None:
    planned = desk.plan()
    assert planned["scenes"].state == "planned"
    assert (planned["photos"].state, planned["photos"].reason) == ("unavailable", "photos are not here")
    assert list(desk.run.cells()) == []


def test_preparing_writes_all_cells_and_returns_those_to_run(desk: Desk) -> None:
    assert desk.prepare(desk.plan()) == ["scenes"]
    states = {folder.cell().suite: folder.status().state for folder in desk.run.cells()}
    assert states == {"scenes": "planned", "photos": "unavailable"}


@pytest.mark.parametrize(
    ("state", "overwrite", "runs"),
    [
        ("done", "never", False),
        ("done", "failed", False),
        ("done", "always", True),
        ("failed", "never", False),
        ("failed", "failed", True),
        ("incompatible", "never", False),
        ("timed-out", "failed", True),
        ("out-of-memory", "always", True),
    ],
)
def test_overwrite_decides_about_results(desk: Desk, state: State, overwrite: Overwrite, runs: bool) -> None:
    desk.finish(desk.plan()["scenes"], state)
    planned = desk.plan(overwrite=overwrite)
    assert planned["scenes"].state == ("planned" if runs else state)
    assert desk.prepare(planned) == (["scenes"] if runs else [])
    folder = planned["scenes"].folder
    assert folder.result().state == folder.status().state == state  # until the cell starts
    assert not runs or read_options(folder.path / OPTIONS).replaces == folder.result_digest()


def test_an_interrupted_cell_runs_again(desk: Desk) -> None:
    desk.prepare(desk.plan())
    entry = desk.plan()["scenes"]
    entry.folder.set_status(Status(state="interrupted"))
    assert desk.prepare(desk.plan()) == ["scenes"]


def test_a_cell_of_another_runner_is_left_alone(desk: Desk) -> None:
    planned = desk.plan()
    desk.prepare(planned)
    planned["scenes"].folder.set_status(Status(state="running", step=3))
    with Claim(planned["scenes"].folder.path / CLAIM):
        again = desk.plan()
        assert again["scenes"].state == "running"
        assert "process" in again["scenes"].reason
        assert desk.prepare(again) == []
    assert planned["scenes"].folder.status().step == 3


def test_data_that_arrives_replaces_the_unavailable_cell(desk: Desk) -> None:
    desk.prepare(desk.plan(absent=True))
    planned = desk.plan(absent=False)
    assert desk.tidy(planned) == [("scenes", 5)]
    assert desk.prepare(planned) == ["scenes", "photos"]
    assert [folder.cell().suite for folder in desk.run.cells()] == ["photos", "scenes"]


def test_what_an_earlier_command_only_planned_is_removed_and_results_stay(desk: Desk) -> None:
    first = desk.plan(absent=False, epochs=5)
    desk.prepare(first)
    desk.finish(first["scenes"])
    assert desk.tidy(desk.plan(absent=False, epochs=2)) == [("scenes", 5)]


@pytest.mark.parametrize(("state", "goes"), [("unavailable", True), ("incompatible", True), ("interrupted", False)])
def test_what_could_not_run_is_stale_and_what_was_begun_is_not(desk: Desk, state: State, goes: bool) -> None:
    first = desk.plan()
    desk.prepare(first)
    first["scenes"].folder.set_status(Status(state=state))
    assert (("scenes", 5) not in desk.tidy(desk.plan(epochs=2))) == goes


def test_a_claimed_folder_is_not_stale(desk: Desk) -> None:
    first = desk.plan()
    desk.prepare(first)
    with Claim(first["scenes"].folder.path / CLAIM):
        assert ("scenes", 5) in desk.tidy(desk.plan(epochs=2))


def test_a_result_that_came_after_the_plan_stays(desk: Desk) -> None:
    late = desk.plan()
    desk.finish(desk.plan()["scenes"])
    assert desk.prepare(late) == []
    assert late["scenes"].folder.result().state == late["scenes"].folder.status().state == "done"
    overwriting = desk.plan(overwrite="always")
    desk.finish(overwriting["scenes"], "failed")  # another runner was told to run it again too
    assert desk.prepare(overwriting) == []


def test_a_cell_that_was_claimed_after_the_plan_is_not_written_to(desk: Desk) -> None:
    late = desk.plan()
    folder = late["scenes"].folder
    folder.write_cell(late["scenes"].cell)
    folder.set_status(Status(state="running", step=3))
    with Claim(folder.path / CLAIM):
        desk.prepare(late)
    assert (folder.status().state, folder.status().step) == ("running", 3)
    assert not (folder.path / OPTIONS).exists()


def test_a_result_is_kept_when_its_data_went_away(desk: Desk) -> None:
    desk.finish(desk.plan(absent=False)["photos"])
    planned = desk.plan(absent=True)
    assert planned["photos"].state == "done"
    desk.prepare(planned)
    assert len(list(desk.run.cells())) == 2


def test_counts_and_estimate(desk: Desk) -> None:
    planned = desk.plan(absent=False)
    assert counts(planned.values()) == {"planned": 2}
    assert estimate_seconds(planned.values(), jobs=2) is None
    desk.finish(planned["scenes"], seconds=8.0)
    done = desk.plan(absent=False)["scenes"]
    waiting = [desk.plan(absent=False, epochs=epochs)["scenes"] for epochs in (1, 2)]
    assert estimate_seconds([done, *waiting], jobs=2) == 8.0
