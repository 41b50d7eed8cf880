"""Discovery of methods and tasks: files of the two packages, entry points, and files given by ``--plugin``.

A broken plugin stays in the listing with its reason, hides nothing else, and raises only when asked for; so does one
that says that it is ``unusable`` here. A name that two plugins carry belongs to neither.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness.errors import UserError, unknown

if TYPE_CHECKING:
    from methods.base import Method
    from tasks.base import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin(Generic[T]):
    """One name in a listing: the class it stands for, or the reason why there is none."""

    name: str
    origin: str  # module, entry point or file
    value: type[T] | None = None
    error: str | None = None


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All plugins of one kind."""

    kind: str  # "method", "task" or "method or task"
    plugins: Mapping[str, Plugin[T]]  # by name; with an error where two plugins carry the name
    broken: tuple[Plugin[T], ...] = ()  # files and entry points that could not be loaded, by their own name
    unusable: tuple[Plugin[T], ...] = ()  # those that say why they cannot be used here

    def __or__(self, other: Registry[Any]) -> Registry[Any]:
        """The plugins of two kinds together."""
        found: dict[str, Plugin[Any]] = {**self.plugins}
        for name, plugin in other.plugins.items():
            if earlier := found.get(name):
                reason = f"is a {self.kind} ({earlier.origin}) and a {other.kind} ({plugin.origin}); rename one"
                plugin = replace(plugin, value=None, error=reason)
            found[name] = plugin
        broken = tuple(dict.fromkeys((*self.broken, *other.broken)))  # a file is broken for both
        return Registry(f"{self.kind} or {other.kind}", found, broken, (*self.unusable, *other.unusable))

    def names(self) -> list[str]:
        """All names that may be run, in alphabetical order; those of broken files are not known."""
        return sorted(self.plugins)

    def listing(self) -> list[Plugin[T]]:
        """Everything that was found; last the unusable and the broken."""
        return [self.plugins[name] for name in self.names()] + list(self.unusable) + list(self.broken)

    def get(self, name: str) -> type[T]:
        """The class of that name.

        Raises:
            UserError: see `refusal`.
        """
        plugin = self._found(name)
        if plugin is None or plugin.value is None:
            raise UserError(self.refusal(name))
        return plugin.value

    def refusal(self, name: str) -> str:
        """Say why there is no class of that name: unknown (with the nearest names), taken twice, broken or unusable."""
        plugin = self._found(name)
        if plugin is not None:
            return f"{self.kind} {name!r}: {plugin.error} ({plugin.origin})"
        message = unknown(self.kind, name, self.plugins)
        if self.broken:
            reasons = "; ".join(f"{plugin.origin} is broken: {plugin.error}" for plugin in self.broken)
            message += f" ({reasons})"
        return message

    def _found(self, name: str) -> Plugin[T] | None:
        every = (*self.broken, *self.plugins.values(), *self.unusable)
        return next((plugin for plugin in every if plugin.name == name), None)


@cache
def find_methods(files: tuple[Path, ...] = ()) -> Registry[Method]:
    """All methods; ``files`` are those given by ``--plugin``.

    Raises:
        UserError: a file does not exist.
    """
    import methods
    from methods.base import Method

    return discover("method", Method, methods, "harness.methods", files)


@cache
def find_tasks(files: tuple[Path, ...] = ()) -> Registry[Task]:
    """All tasks; see `find_methods`."""
    import tasks
    from tasks.base import Task

    return discover("task", Task, tasks, "harness.tasks", files)


def discover(
    kind: str, base: type[Any], package: ModuleType, group: str, files: tuple[Path, ...] = ()
) -> Registry[Any]:
    """Collect the named, concrete sub-classes of a base class from a package, an entry point group and files.

    Raises:
        UserError: a file does not exist.
    """
    found: dict[str, Plugin[Any]] = {}
    broken: list[Plugin[Any]] = []
    unusable: list[Plugin[Any]] = []
    for short, origin, load in _sources(package, group, files):
        try:
            loaded = load()
            classes: list[type[Any]] = [loaded] if inspect.isclass(loaded) else _classes(loaded, base)
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split())
            broken.append(Plugin(short, origin, error=f"{type(error).__name__}: {reason}"))
            continue
        for value in classes:
            name = value.name
            earlier = found.get(name)
            if reason := getattr(value, "unusable", ""):
                unusable.append(Plugin(name, origin, error=reason))
            elif earlier is None:
                found[name] = Plugin(name, origin, value)
            elif earlier.value is not value:
                both = f"{earlier.origin} and {origin}"
                reason = f"the name is taken twice, by {both}; rename one"
                found[name] = replace(earlier, origin=both, value=None, error=reason)
    return Registry(kind, found, tuple(broken), tuple(sorted(unusable, key=lambda plugin: plugin.name)))


Source = tuple[str, str, Callable[[], object]]  # short name, origin, how to load the module or class


def _sources(package: ModuleType, group: str, files: tuple[Path, ...]) -> Iterator[Source]:
    for name in _module_names(package.__name__, list(package.__path__)):
        yield name.rpartition(".")[2], name, lambda name=name: importlib.import_module(name)  # type: ignore[misc]
    for point in entry_points(group=group):
        yield point.name, f"entry point {point.value}", point.load
    for path in files:
        if not path.is_file():
            raise UserError(f"--plugin {path}: there is no such file")
        yield path.stem, str(path), lambda path=path: _load_file(path.resolve())  # type: ignore[misc]


def _module_names(package: str, paths: list[str]) -> Iterator[str]:
    """Modules of a package and of its sub-packages, except private ones; nothing is imported yet."""
    for module in pkgutil.iter_modules(paths):
        if module.name.startswith("_"):
            continue
        name = f"{package}.{module.name}"
        yield name
        if module.ispkg:
            yield from _module_names(name, [str(Path(path) / module.name) for path in paths])


def _classes(module: object, base: type[Any]) -> list[type[Any]]:
    """Concrete classes with a name that the module itself defines."""
    members = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, base)]
    own = [value for value in members if value.__module__ == module.__name__]  # type: ignore[attr-defined]
    return [value for value in own if not inspect.isabstract(value) and hasattr(value, "name")]


@cache
def _load_file(path: Path) -> ModuleType:
    # A prefix of its own keeps a plugin file from shadowing any module, whatever it is called.
    name = f"harness_plugin_{path.stem}"
    if name in sys.modules:
        raise ImportError(f"another --plugin file is also called {path.name}; rename one")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
