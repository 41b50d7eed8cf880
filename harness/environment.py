"""What a run ran on: hardware, versions, the exact command. No host name and no path of a user is stored."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import psutil

from harness import __version__

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "safetensors",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
)


def environment() -> dict[str, Any]:
    """Software and hardware, as plain data. What cannot be found out is None.

    Keys: harness_version, commit, dirty (differs from the commit), python, platform, processor, cores (those
    this process may use), memory_bytes, device (one line), devices (CUDA), packages (versions by name).
    """
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain") if commit else None
    devices = _cuda_devices()
    return {
        "harness_version": __version__,
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": ", ".join(devices) or "cpu",
        "devices": devices,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def run_environment(arguments: Sequence[str], started_at: str) -> dict[str, Any]:
    """The content of ``environment.json``: `environment`, with the command line and the time of the start."""
    command = shlex.join(["python", "-m", "harness", *map(_without_folder, arguments)])
    return {"command": command, "started_at": started_at} | environment()


def cores() -> int:
    """Number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _without_folder(argument: str) -> str:
    """Keep only the last part of an absolute path: the rest tells of a user, not of the run."""
    flag, equals, value = argument.rpartition("=")
    path = PurePath(value)
    return f"{flag}{equals}.../{path.name}" if path.is_absolute() else argument


@cache
def _git(*arguments: str) -> str | None:
    """Ask git about the project's own checkout; None for an installed copy or without git.

    Where the user is, which repository their variables name and who owns the checkout (in a container, another user)
    makes no difference, and the index is left alone.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


@cache
def _processor() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None


def _cuda_devices() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
