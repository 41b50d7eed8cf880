"""A grid: which suites, backbones, methods and seeds to combine, read from YAML::

    name: example                             # the run folder's default name
    description: one line
    blocks:
      - suites: [mini-image]                  # names, globs, or `all`; of methods also `usual`
        backbones: [mini-bart]
        methods: ["vl-pet-*", {method: lora-single, rank: [4, 8], settings: {epochs: 3}}]
        seeds: [0, 1, 2]
        settings: {epochs: 5}                 # fields of `harness.cells.Settings`
        controls:
          - {method: full, control: image-blind}
      - study: Size of adapters                 # shown in a table of its own, apart from the leaderboards
        suites: [mini-image]
        backbones: [mini-bart]
        methods: [{method: adapter-single, reduction_factor: [4, 8, 16]}]

A list among the values of a method's entry makes one cell per entry of the list. Names are resolved by
`harness.expand`; here only the shape of the file is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from harness import cells
from harness.errors import UserError, unknown
from harness.refusals import refusal
from harness.yaml_source import YamlSource

BUILT_IN = Path(__file__).parent / "grids"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class Part(BaseModel):
    """Base of all parts of a grid: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MethodEntry(Part):
    """Methods with overrides. A list among the values makes one cell per entry of the list."""

    method: str  # a name, a glob, `all`, or `usual`: all but the long tail of a library
    parameters: dict[str, Any] = {}  # in the file they stand beside `method`
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: object) -> object:
        if isinstance(value, str):
            return {"method": value}
        if not isinstance(value, Mapping):
            return value
        own = {name: value[name] for name in ("method", "settings") if name in value}
        return own | {"parameters": {name: entry for name, entry in value.items() if name not in own}}


class Control(Part):
    """One more cell of a method, with something taken away from it."""

    method: str
    control: cells.Control


class Block(Part):
    """Every suite × backbone × method × seed of these lists."""

    study: str = ""  # title of the table that shows them, if not the leaderboards
    suites: Names
    backbones: Names
    methods: Annotated[list[MethodEntry], BeforeValidator(_listed)] = []
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
    settings: dict[str, Any] = {}
    controls: list[Control] = []


class Grid(Part):
    """The content of a grid file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    blocks: list[Block] = Field(min_length=1)


PLACES: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): Grid,
    ("blocks",): Block,
    ("blocks", "controls"): Control,
}


class GridFile:
    """A grid with the text that it was read from, so that problems can name lines."""

    def __init__(self, origin: str, text: str) -> None:
        """Read a grid.

        Raises:
            UserError: the text is not YAML (with its line), or is not a grid (all problems at once).
        """
        self.origin = origin
        self.text = text
        self._source = YamlSource(origin, text)
        try:
            self.grid = Grid.model_validate(self._source.content)
        except ValidationError as error:
            raise self.refusal([(entry["loc"], _sentence(entry)) for entry in error.errors()]) from error

    def refusal(self, problems: list[tuple[tuple[int | str, ...], str]]) -> UserError:
        """One error that tells every problem, each with its line and its place in the file."""
        # "parameters" is not spelled in the file; see `MethodEntry`.
        return self._source.refusal(
            [(tuple(part for part in place if part != "parameters"), sentence) for place, sentence in problems]
        )


def built_in() -> dict[str, Path]:
    """The grids that ship with the project, by name."""
    return {path.stem: path for path in sorted(BUILT_IN.glob("*.yaml"))}


def load_grid(name: str) -> GridFile:
    """Read a built-in grid by name, or a grid file by path.

    Raises:
        UserError: there is no such grid, or it is malformed.
    """
    path = Path(name)
    if name in built_in():
        path = built_in()[name]
    elif path.suffix not in (".yaml", ".yml") and not path.exists():
        raise UserError(unknown("grid", name, built_in()) + "; or give the path of a .yaml file")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"--grid {name}: cannot be read ({reason})") from error
    return GridFile(str(name), text)


def _sentence(entry: Any) -> str:
    """Say what is wrong with one value, and for an unknown field the nearest that exist."""
    if entry["type"] == "extra_forbidden":
        *parents, field = entry["loc"]
        model = PLACES.get(tuple(part for part in parents if isinstance(part, str)), Grid)
        return unknown("field", str(field), model.model_fields)
    return refusal(entry)
