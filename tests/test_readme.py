"""The documents speak of what is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.program import app, invoke
from harness.grid import built_in

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/measurements.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_is_named_exists(document: str) -> None:
    names = {command.name for command in (*app.registered_commands, *app.registered_groups)}
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


@pytest.mark.parametrize("kind", ["method", "task"])
def test_the_lines_of_the_contributors_guide_run(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = guide.partition(f"## Add a {kind}")[2].partition("\n## ")[0]
    commands = re.search(r"```bash\n(.+?)```", section, re.DOTALL)
    assert commands is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for line in commands.group(1).splitlines():
        python, _, module, *arguments = line.split()
        assert python == "python"
        if module == "harness":
            assert invoke(arguments) == 0, line
        else:
            subprocess.run([sys.executable, "-m", module, *arguments], check=True)
    shown = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    if kind == "method":
        assert shown is not None
        assert (tmp_path / "my_adapter.py").read_text(encoding="utf-8") == shown.group(1)
