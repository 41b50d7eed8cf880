"""From a grid to its cells: names resolved, filters applied, hyper-parameters and versions written out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from harness.catalogue import Catalogue
from harness.cells import Cell, Settings
from harness.errors import NothingMatched, UserError, unknown
from harness.grid import Block, GridFile, MethodEntry
from harness.plugins import Registry
from harness.refusals import refusal

if TYPE_CHECKING:
    from methods.base import Method

Place = tuple[int | str, ...]


@dataclass(frozen=True)
class Choice:
    """What the command line makes of a grid: filters (empty: everything) and overrides."""

    suites: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()  # run these instead of the grid's
    overrides: tuple[str, ...] = ()  # "settings.epochs=2", or "<method or glob>.<hyper-parameter>=<value>"
    settings: Mapping[str, Any] = field(default_factory=dict)  # further settings, such as the limit
    device: str = "auto"  # decides what precision "auto" stands for


def is_pattern(name: str) -> bool:
    """Whether a name may stand for several."""
    return name in ("all", "usual") or any(sign in name for sign in "*?[")


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a name, a glob or `all` stands for, in their order."""
    return [name for name in names if pattern == "all" or fnmatchcase(name, pattern)]


def matching_methods(pattern: str, registry: Registry[Method]) -> list[str]:
    """The methods that a name, a glob, `all` or `usual` stands for, in their order."""
    if pattern == "usual":
        return [name for name, plugin in sorted(registry.plugins.items()) if plugin.value is None or plugin.value.usual]
    return matching(pattern, registry.names())


def expand(file: GridFile, catalogue: Catalogue, choice: Choice = Choice()) -> list[Cell]:
    """Resolve a grid to cells without doubles, in the grid's order; one of several blocks is shown by all of them.

    Raises:
        UserError: all problems of the file at once, or of the filters and overrides.
        NothingMatched: no cell of the grid passes the filters.
        DataError: a data file is there but broken.
    """
    overrides = _Overrides(choice, catalogue)
    expansion = _Expansion(catalogue, choice, overrides)
    cells = [cell for index, block in enumerate(file.grid.blocks) for cell in expansion.block(index, block)]
    if expansion.problems:
        raise file.refusal(expansion.problems)
    if not cells:
        raise NothingMatched(
            f"grid {file.grid.name}: no cell matches the filters; `plan --grid {file.origin}` shows its cells"
        )
    doubles: dict[str, list[Cell]] = {}
    for cell in cells:
        doubles.setdefault(cell.path, []).append(cell)
    return [_joined(same) for same in doubles.values()]


def _joined(same: Sequence[Cell]) -> Cell:
    """The one cell that several blocks name, in the fewest words."""
    shortest = min(same, key=lambda cell: len(cell.overrides))
    studies = tuple(dict.fromkeys(study for cell in same for study in cell.studies))
    return shortest.model_copy(update={"studies": studies, "ranked": any(cell.ranked for cell in same)})


class _Overrides:
    """The command line's overrides, checked before the grid is looked at."""

    def __init__(self, choice: Choice, catalogue: Catalogue) -> None:
        self.settings: dict[str, Any] = dict(choice.settings)
        self._parameters: list[tuple[list[str], str, Any]] = []
        for flag, patterns, names in (
            ("suite", choice.suites, catalogue.suites),
            ("backbone", choice.backbones, catalogue.backbones),
        ):
            for pattern in patterns:
                if not is_pattern(pattern) and pattern not in names:
                    raise UserError(f"--{flag}s: {unknown(flag, pattern, names)}")
        for pattern in choice.methods:
            if not is_pattern(pattern) and pattern not in catalogue.methods.plugins:
                raise UserError(f"--methods: {catalogue.methods.refusal(pattern)}")
        for text in choice.overrides:
            target, equals, value = text.partition("=")
            owner, dot, field = target.rpartition(".")
            if not (equals and dot and owner and field):
                raise UserError(f"--set {text}: write it as settings.epochs=2 or lora-single.rank=4")
            parsed = _plain(text, value)
            if owner == "settings":
                self.settings[field] = parsed
                continue
            methods = matching_methods(owner, catalogue.methods)
            if not methods:
                raise UserError(f"--set {text}: {catalogue.methods.refusal(owner)}")
            self._check(text, owner, field, parsed, [catalogue.methods.get(name) for name in methods])
            self._parameters.append((methods, field, parsed))
        for sentence in _refusals(Settings, self.settings, "setting"):
            raise UserError(f"--set: {sentence}")

    @staticmethod
    def _check(text: str, owner: str, field: str, value: Any, methods: Sequence[type[Method]]) -> None:
        """Refuse a hyper-parameter that no method meant has, and a value that none of them takes."""
        noun = f"hyper-parameter of {owner}"
        having = [method for method in methods if field in method.model_fields]
        if not having:
            fields = {name for method in methods for name in method.model_fields}
            raise UserError(f"--set {text}: {unknown(noun, field, fields)}")
        # What hangs on a method's other hyper-parameters, which differ by backbone, shows in each cell.
        refused = [_refusals(method, {field: value}, noun, only=field) for method in having]
        if all(refused):
            raise UserError(f"--set {text}: {refused[0][0]}")

    def parameters(self, method: str) -> dict[str, Any]:
        """Hyper-parameters that the command line sets for a method."""
        return {field: value for methods, field, value in self._parameters if method in methods}


class _Expansion:
    """Walks the blocks of a grid and collects every problem with its place."""

    def __init__(self, catalogue: Catalogue, choice: Choice, overrides: _Overrides) -> None:
        self.problems: list[tuple[Place, str]] = []
        self._catalogue = catalogue
        self._choice = choice
        self._overrides = overrides
        self._wanted = {name for pattern in choice.methods for name in matching_methods(pattern, catalogue.methods)}
        from harness.workbench import find_device

        self._device = find_device(choice.device)

    def block(self, index: int, block: Block) -> list[Cell]:
        """All cells of a block that pass the filters."""
        place: Place = ("blocks", index)
        suites = self._names("suite", block.suites, (*place, "suites"), self._catalogue.suites)
        backbones = self._names("backbone", block.backbones, (*place, "backbones"), self._catalogue.backbones)
        entries = list(self._entries(block, place))
        refused = _refusals(Settings, block.settings, "setting")
        if refused:  # told once, not again for every cell
            self.problems += [((*place, "settings"), sentence) for sentence in refused]
            block = block.model_copy(update={"settings": {}})
        cells = []
        for suite, backbone in itertools.product(suites, backbones):
            if not (_passes(suite, self._choice.suites) and _passes(backbone, self._choice.backbones)):
                continue
            for where, method, entry in entries:
                cells += self._cells(suite, backbone, method, entry, block, where)
        return cells

    def _names(self, kind: str, patterns: Sequence[str], place: Place, known: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}
        for index, pattern in enumerate(patterns):
            names = matching(pattern, known)
            if not names:
                self.problems.append(((*place, index), unknown(kind, pattern, known)))
            found |= dict.fromkeys(names)
        return list(found)

    def _methods(self, pattern: str, place: Place) -> list[str]:
        names = matching_methods(pattern, self._catalogue.methods)
        if not names:
            self.problems.append((place, self._catalogue.methods.refusal(pattern)))
        return [name for name in names if not self._choice.methods or name in self._wanted]

    def _entries(self, block: Block, place: Place) -> Iterator[tuple[Place, str, MethodEntry]]:
        """Each method of a block with one of its combinations of overrides; controls come last."""
        controls = [MethodEntry(method=c.method, settings={"control": c.control}) for c in block.controls]
        for part, listed in (("methods", block.methods), ("controls", controls)):
            for index, entry in enumerate(listed):
                where = (*place, part, index)
                for method in self._methods(entry.method, where):
                    for parameters in _combinations(entry.parameters):
                        for settings in _combinations(entry.settings):
                            values = {"method": method, "settings": settings, **parameters}
                            yield where, method, MethodEntry.model_validate(values)

    def _cells(
        self, suite: str, backbone: str, method: str, entry: MethodEntry, block: Block, place: Place
    ) -> list[Cell]:
        catalogue = self._catalogue
        kind = catalogue.suites[suite].kind
        overrides = entry.parameters | self._overrides.parameters(method)
        try:
            methods = catalogue.methods.get(method)
            tasks = [catalogue.task(name) for name in catalogue.suites[suite].tasks]
            spec = catalogue.backbones[backbone]
            configured = methods.configured(spec.family, kind, backbone, overrides, spec.like)
            settings = self._settings(block.settings | entry.settings | self._overrides.settings)
        except ValidationError as error:
            model: type[BaseModel] = Settings if error.title == "Settings" else methods
            noun = "setting" if model is Settings else f"hyper-parameter of {method}"
            self.problems += [(place, sentence) for sentence in _sentences(error, model, noun)]
            return []
        except UserError as error:
            self.problems.append((place, str(error)))
            return []
        versions = {"method": methods.version}
        for task in tasks:
            versions |= {task.name: task.version, f"{task.name}/metric": task.card.metric.version}
        cell = Cell(
            suite=suite,
            kind=kind,
            tasks=catalogue.suites[suite].tasks,
            backbone=backbone,
            method=method,
            parameters=configured.model_dump(mode="json"),
            overrides=overrides,
            studies=(block.study,) if block.study else (),
            ranked=not block.study,
            seed=0,
            settings=settings,
            versions=versions,
            data=catalogue.fingerprints(suite, backbone),
        )
        return [cell.model_copy(update={"seed": seed}) for seed in self._choice.seeds or block.seeds]

    def _settings(self, values: Mapping[str, Any]) -> Settings:
        """Settings with the precision that "auto" stands for on the device: scores hang on it, so the key must."""
        from harness.workbench import find_dtype

        settings = Settings.model_validate(values)
        dtype = find_dtype(settings.precision, self._device)
        return settings.model_copy(update={"precision": str(dtype).removeprefix("torch.")})


def _passes(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(matching(pattern, [name]) for pattern in patterns)


def _combinations(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One dictionary per combination of the entries of those values that are lists."""
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    for combination in itertools.product(*lists):
        yield dict(zip(values, combination, strict=True))


def _plain(text: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text}: the value is not YAML") from error


def _refusals(model: type[BaseModel], values: Mapping[str, Any], noun: str, only: str | None = None) -> list[str]:
    """What is wrong with these values of a model's fields (or with ``only`` one of them), one sentence each."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        return _sentences(error, model, noun, only)
    return []


def _sentences(error: ValidationError, model: type[BaseModel], noun: str, only: str | None = None) -> list[str]:
    sentences = []
    for entry in error.errors():
        field = ".".join(str(part) for part in entry["loc"])
        if only is not None and entry["loc"][:1] != (only,):
            continue
        if entry["type"] == "extra_forbidden":
            sentences.append(unknown(noun, field, model.model_fields))
        else:
            prefix = f"{noun} {field}: " if field else ""
            sentences.append(f"{prefix}{refusal(entry)}")
    return sentences
