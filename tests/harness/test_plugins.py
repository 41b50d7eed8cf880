"""Discovery: packages, entry points and files; broken plugins; names taken twice."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.errors import UserError
from harness.plugins import Plugin, Registry, discover, find_methods, find_tasks
from methods.base import Method
from tasks.base import Task

METHOD = """
from methods.base import Method

class Mine(Method):
    name = "{name}"
    title = "Mine"

    def attach(self, model, context):
        pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package with two good methods, a private file, an abstract class and a broken file."""
    folder = tmp_path / "found_methods"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "one.py").write_text(METHOD.format(name="one"))
    (folder / "inner" / "two.py").write_text(METHOD.format(name="two"))
    (folder / "_private.py").write_text(METHOD.format(name="private"))
    (folder / "plain.py").write_text("from methods.base import Method\nclass Partial(Method):\n    name = 'partial'\n")
    (folder / "broken.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("found_methods")
    for name in [name for name in sys.modules if name.startswith("found_methods")]:
        del sys.modules[name]


def find(package: ModuleType, *files: Path) -> Registry[Method]:
    return discover("method", Method, package, "harness.nothing", files)


def test_a_package_is_searched_without_private_files_and_abstract_classes(package: ModuleType) -> None:
    assert find(package).names() == ["one", "two"]


def test_a_broken_plugin_is_listed_with_its_reason_and_hides_nothing(package: ModuleType) -> None:
    registry = find(package)
    (broken,) = [plugin for plugin in registry.listing() if plugin.error]
    assert (broken.name, broken.origin) == ("broken", "found_methods.broken")
    assert broken.error == "ModuleNotFoundError: No module named 'no_such_library'"
    assert registry.get("one").title == "Mine"
    with pytest.raises(UserError, match="no_such_library"):
        registry.get("broken")


def test_an_unusable_method_is_listed_with_its_reason_and_never_meant(package: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_text(METHOD.format(name="old").replace("title =", "unusable = 'needs a library'; title ="))
    registry = find(package, file)
    assert registry.names() == ["one", "two"]
    assert [plugin.error for plugin in registry.listing() if plugin.name == "old"] == ["needs a library"]
    with pytest.raises(UserError, match=r"method 'old': needs a library \(.*old\.py\)"):
        registry.get("old")


def test_a_file_adds_methods(package: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "three.py"
    file.write_text(METHOD.format(name="three"))
    registry = find(package, file)
    assert registry.names() == ["one", "three", "two"]
    assert registry.plugins["three"].origin == str(file)


def test_a_file_may_be_called_like_a_module_of_the_project(package: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "methods.py"
    file.write_text(METHOD.format(name="four"))
    assert "four" in find(package, file).names()
    assert importlib.import_module("methods").__file__ != str(file)


def test_a_name_taken_twice_names_both_origins_when_asked_for(package: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "copy.py"
    file.write_text(METHOD.format(name="one"))
    registry = find(package, file)
    assert registry.names() == ["one", "two"]  # so that `all` does not silently leave it out
    with pytest.raises(UserError, match=r"taken twice, by found_methods\.one and .*copy\.py"):
        registry.get("one")
    assert registry.get("two").name == "two"


def test_an_unknown_name_brings_the_nearest_and_the_broken_plugins(package: ModuleType) -> None:
    with pytest.raises(UserError, match=r"unknown method 'tow'; did you mean 'two'.*found_methods\.broken is broken"):
        find(package).get("tow")


def test_a_missing_file_is_refused(package: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        find(package, tmp_path / "absent.py")


def test_plugins_of_two_kinds_are_found_together(package: ModuleType, tmp_path: Path) -> None:
    methods = find(package)
    two, other = (Plugin(name, "elsewhere", Task) for name in ("two", "other"))
    both = methods | Registry("task", {"two": two, "other": other}, methods.broken)
    assert both.names() == ["one", "other", "two"]
    assert both.broken == methods.broken
    assert both.get("other") is Task and both.get("one") is methods.get("one")
    with pytest.raises(UserError, match=r"is a method \(found_methods.inner.two\) and a task \(elsewhere\)"):
        both.get("two")
    with pytest.raises(UserError, match="unknown method or task 'tow'; did you mean 'two'"):
        both.get("tow")


def test_all_shipped_plugins_load() -> None:
    for registry, base in ((find_methods(), Method), (find_tasks(), Task)):
        assert len(registry.names()) >= 7
        assert all(issubclass(registry.get(name), base) for name in registry.names())
        assert [plugin.error for plugin in registry.broken] == []
