"""Bad ends as records."""

from pathlib import Path

from fake_cells import make_cell

from harness.options import Options
from harness.outcome import classify, record_failure
from harness.run_folder import OPTIONS, CellFolder
from tasks.base import DataError


def test_a_reason_names_files_from_the_data_folder_on(tmp_path: Path) -> None:
    folder = CellFolder(tmp_path / "cell")
    folder.write_cell(make_cell())
    data = tmp_path / "home" / "someone" / "data"
    (folder.path / OPTIONS).write_text(Options(data=data).model_dump_json())
    state, reason = classify(DataError(f"{data}/daquar/images.parquet: truncated; fetch it again"))
    record_failure(folder, state, reason)
    result = folder.result()
    assert result is not None
    assert (result.state, result.reason) == ("failed", "daquar/images.parquet: truncated; fetch it again")
