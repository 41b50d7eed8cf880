"""Three ways to add a method, really taken: a file in `methods/`, an installed package, and ``--plugin``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_tasks

import methods
from harness.cli.program import invoke

NAMES = ("way-dropped", "way-installed", "way-given")

PACKAGE = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "methods-of-mine"
version = "1"

[project.entry-points."harness.methods"]
mine = "way_installed"

[tool.setuptools]
py-modules = ["way_installed"]
"""

GRID = """
name: three-ways
blocks:
  - suites: [small-colour]
    backbones: [mini-bart]
    methods: [way-dropped, way-installed, way-given]
    settings: {epochs: 1, batch_size: 4, evaluation_batch_size: 4}
"""

PROGRAM = """
import contextlib, io, json, sys
from harness.cli.program import invoke

answers = []
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as answer:
        code = invoke(arguments)
    answers.append([code, answer.getvalue()])
print(json.dumps(answers))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the project with a method more, a folder of installed packages, and a file."""
    source = Path(methods.__file__).parents[1]
    shutil.copytree(source / "methods", tmp_path / "project" / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("harness", "tasks", "reports"):
        (tmp_path / "project" / name).symlink_to(source / name)
    for name, folder in zip(NAMES, ("project/methods", "package", "."), strict=True):
        assert invoke(["new", "method", name, "--output", str(tmp_path / folder)]) == 0
    (tmp_path / "project" / "methods" / "test_way_dropped.py").unlink()  # there, the project's own test finds it
    (tmp_path / "package" / "pyproject.toml").write_text(PACKAGE)
    (tmp_path / "grid.yaml").write_text(GRID)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", tmp_path / "site", tmp_path / "package"], check=True)
    return tmp_path


def test_all_three_are_listed_counted_planned_run_and_reported(place: Path) -> None:
    given = ["--plugin", str(place / "way_given.py"), "--plugin", small_tasks.__file__]
    grid = ["--grid", str(place / "grid.yaml"), "--output", str(place / "run"), *given]
    commands = [
        ["list", "methods", "--json", *given],
        ["params", "--methods", "way-*", "--suites", "image-text", "--json", *given],
        ["plan", "--json", *grid],
        ["run", "--jobs", "1", "--json", *grid],
    ]
    environment = {**os.environ, "PYTHONPATH": str(place / "site"), "HARNESS_CACHE": str(place / "cache")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=place / "project",
        env=environment,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(ended.stdout)
    assert [code for code, _ in answers] == [0, 0, 0, 0], ended.stderr
    listed, counted, planned, ran = (json.loads(answer) for _, answer in answers)
    origins = {row["name"]: row["origin"] for row in listed if row["name"] in NAMES}
    assert origins == dict(
        zip(NAMES, ("methods.way_dropped", "entry point way_installed", str(place / "way_given.py")), strict=True)
    )
    assert all(row["error"] is None for row in listed if not row["name"].startswith("peft/"))
    assert {(row["method"], row["backbone"]) for row in counted} == {
        (name, backbone) for name in NAMES for backbone in ("bart-base", "t5-base")
    }
    assert {row["method"] for row in planned} == set(NAMES)
    assert ran["states"] == {"done": 3}
    report = (place / "run" / "report" / "report.md").read_text("utf-8")
    assert [name for name in NAMES if f"({name})" not in report] == []
