"""What a run says about where it ran: complete, and nothing about its user."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.environment import PACKAGES, environment, run_environment


def test_all_keys_are_there_and_it_is_plain_data() -> None:
    found = environment()
    assert set(found) == {
        *("harness_version", "commit", "dirty", "python", "platform", "processor"),
        *("cores", "memory_bytes", "device", "devices", "packages"),
    }
    assert set(found["packages"]) == set(PACKAGES)
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 2**28
    assert json.loads(json.dumps(found)) == found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing in it but what tells of the environment."""
    root = tmp_path / "project"
    (root / "harness").mkdir(parents=True)
    for name in ("__init__.py", "environment.py"):
        shutil.copy(Path(harness.__file__).with_name(name), root / "harness")
    make_repository(root)
    return root


def make_repository(root: Path) -> None:
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", "-C", str(root))
    (root / ".gitignore").write_text("__pycache__\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", f"made in {root.name}")):
        subprocess.run([*git, *arguments], check=True)


def commit_of(root: Path) -> str:
    return subprocess.check_output(["git", "-C", str(root), "rev-parse", "HEAD"], text=True).strip()


def told_by(root: Path, folder: Path, **variables: str) -> tuple[str | None, bool | None]:
    """Commit and dirtiness that the package in ``root`` tells when it is used from a folder."""
    program = "import json; from harness.environment import environment as e; f = e(); print(json.dumps(f))"
    variables = os.environ | {"PYTHONPATH": str(root)} | variables
    found = json.loads(subprocess.check_output([sys.executable, "-c", program], cwd=folder, env=variables))
    return found["commit"], found["dirty"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_the_commit_is_the_checkouts_own_wherever_the_user_is(checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    make_repository(elsewhere)
    own = commit_of(checkout)
    assert told_by(checkout, elsewhere, GIT_DIR=str(elsewhere / ".git")) == (own, False)
    (checkout / "harness" / "more.py").write_text("")
    assert told_by(checkout, elsewhere) == (own, True)
    shutil.rmtree(checkout / ".git")
    assert told_by(checkout, elsewhere) == (None, None)


@pytest.mark.skipif(
    shutil.which("git") is None or os.geteuid() != 0, reason="needs git, and root to give a folder to another user"
)
def test_a_checkout_of_another_user_has_a_commit_too(checkout: Path, tmp_path: Path) -> None:
    own = commit_of(checkout)
    for path in (checkout, checkout / ".git"):
        os.chown(path, 65534, 65534)
    assert told_by(checkout, tmp_path) == (own, False)


def test_neither_host_nor_a_users_folders_are_stored() -> None:
    arguments = ["run", "--grid", "smoke", f"--data={Path.home()}/photos", "--output", "/srv/users/ada/run"]
    text = json.dumps(run_environment(arguments, "2030-01-01T00:00:00+00:00"))
    assert "python -m harness run --grid smoke --data=.../photos --output .../run" in text
    assert "ada" not in text
    assert f'"{socket.gethostname()}"' not in text
