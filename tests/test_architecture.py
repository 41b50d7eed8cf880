"""The house keeps its shape: who imports whom, who prints, who knows whom (ARCHITECTURE.md)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import methods
from harness.plugins import find_methods
from methods import sites

ROOT = Path(methods.__file__).parent.parent
FLOORS = ("harness", "methods", "tasks", "reports")
LEAVES = {
    "methods": {"torch", "transformers", "peft", "pydantic", "yaml"},
    "tasks": {"numpy", "pandas", "pyarrow", "PIL", "h5py", "pydantic", "yaml", "pycocoevalcap"},
    "reports": {"pandas", "pyarrow", "pydantic", "yaml", "matplotlib", "jinja2", "scipy", "numpy", "markupsafe"},
}
FILES = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): path for path in FILES}


def imports(path: Path, lazy: bool = True) -> Iterator[str]:
    """Full names of what a file imports; without ``lazy`` only what is imported when the file is."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = ast.walk(tree) if lazy else eager(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else str(node.module)


def eager(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes outside functions and outside `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if typing_only or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from eager(child)


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 50
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("floor", LEAVES)
def test_leaves_import_only_themselves_and_their_libraries(floor: str) -> None:
    allowed = LEAVES[floor] | {floor} | set(sys.stdlib_module_names)
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if path.is_relative_to(ROOT / floor)
        for name in imports(path)
        if name.partition(".")[0] not in allowed
    }
    assert wrong == set()


def test_no_module_reaches_itself_through_its_imports() -> None:
    edges = {name: {other for other in imports(path, lazy=False) if other in NAMES} for name, path in NAMES.items()}
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in finished:
            for other in sorted(edges[name] - {name}):
                visit(other, (*trail, name))
            finished.add(name)

    for name in NAMES:
        visit(name, ())
    assert finished == set(NAMES)


def test_only_the_command_line_prints() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        if not path.is_relative_to(ROOT / "harness" / "cli")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []


def test_no_method_file_is_named_like_a_verb() -> None:
    verbs = {name for name, value in vars(sites).items() if callable(value) and not name.startswith("_")}
    assert {"after", "around", "prompt", "unfreeze"} <= verbs
    assert {path.stem for path in (ROOT / "methods").rglob("*.py")} & verbs == set()


def test_the_trainer_names_no_method() -> None:
    names = find_methods().names()
    assert len(names) >= 7
    tree = ast.parse((ROOT / "harness" / "training.py").read_text("utf-8"))
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert words & set(names) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400
