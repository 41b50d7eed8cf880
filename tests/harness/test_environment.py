"""What a run says about where it ran: complete, and nothing about its user."""

import json
import socket
from pathlib import Path

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


def test_neither_host_nor_a_users_folders_are_stored() -> None:
    arguments = ["run", "--grid", "smoke", f"--data={Path.home()}/photos", "--output", "/srv/users/ada/run"]
    text = json.dumps(run_environment(arguments, "2030-01-01T00:00:00+00:00"))
    assert "python -m harness run --grid smoke --data=.../photos --output .../run" in text
    assert "ada" not in text
    assert f'"{socket.gethostname()}"' not in text
