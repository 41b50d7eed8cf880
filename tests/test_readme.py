"""The documents speak of what is there."""

import re
import subprocess
from pathlib import Path

import pytest

from harness.cli.program import app
from harness.grid import built_in
from harness.plugins import find_methods

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/measurements.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    names = {command.name for command in app.registered_commands}
    text = (ROOT / document).read_text(encoding="utf-8")
    assert set(re.findall(r"python -m harness ([a-z]+)", text)) <= names


def test_every_grid_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in built_in() if f"`{name}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    path = ROOT / document
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


def test_ci_runs_the_readmes_test_command() -> None:
    block = re.search(
        r"<!-- the test command -->\n```bash\n(.+)\n```", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    assert block is not None
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extraction = next(line for line in script.splitlines() if line.startswith("command="))
    result = subprocess.run(
        ["bash", "-c", f'{extraction}\necho "$command"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == block.group(1)


def test_the_method_of_the_contributors_guide_works(tmp_path: Path) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    file = tmp_path / "scaling.py"
    file.write_text(re.search(r"```python\n(.+?)```", guide, re.DOTALL).group(1), encoding="utf-8")
    assert len(file.read_text().splitlines()) < 60
    assert find_methods((file,)).get("scaling").title == "Scaled outputs"
