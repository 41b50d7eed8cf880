"""``submit`` refuses in one line what holds no finished cell; what it writes is tested with cells."""

from pathlib import Path

import pytest

from harness.cli.program import invoke
from harness.options import Options
from harness.run_folder import OPTIONS


def test_what_is_no_finished_cell_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["submit", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / OPTIONS}: cannot be read") and said.count("\n") == 1
    (tmp_path / OPTIONS).write_text(Options().model_dump_json())
    assert invoke(["submit", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'weights.safetensors'}: cannot be read") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
