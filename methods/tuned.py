"""Learning rates per backbone, kind of suite and method, with how they were found: the content of ``tuned.yaml``.

The file is written by ``python -m harness tuned RUN --write``. A method without an entry keeps its own default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FILE = "tuned.yaml"  # in this package
HEADER = """\
# Learning rates: backbone -> kind of suite -> method -> rate. `search` says how a rate was found: every candidate had
# the same budget, and the best average over the accuracies of the selection split won (CIDEr, which has another unit,
# counts only where a suite has no accuracy); null: picked by hand.
# `python -m harness tuned RUN --write` brings the entries of a run of `--grid tune-mini` up to date.
"""

Rate = Annotated[float, Field(gt=0)]


class Search(BaseModel):
    """How the candidates of one method were compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: tuple[Rate, ...] = Field(min_length=1)
    at_edge: bool  # the best is the first or the last of the candidates: a better one may lie outside
    suite: str
    splits: tuple[str, ...]  # the selection splits that were scored, by their own names
    examples: int  # scored per candidate and seed, over all tasks
    limit: int | None  # examples per task and split, where the run was limited
    epochs: int
    steps: int  # optimisation steps per candidate and seed
    seeds: tuple[int, ...]
    harness_version: str
    weights: str | None = None  # fingerprint of the backbone that was searched on


class TunedRate(BaseModel):
    """The learning rate of a method on a backbone and a kind of suite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: Rate
    search: Search | None = None  # None: picked by hand


Rates = Mapping[str, Mapping[str, Mapping[str, TunedRate]]]  # backbone -> kind of suite -> method

_SHAPE: TypeAdapter[Rates] = TypeAdapter(dict[str, dict[str, dict[str, TunedRate]]])


@cache
def rates() -> Rates:
    """Everything in the file.

    Raises:
        pydantic.ValidationError: the file does not have the shape above.
    """
    return parse(files("methods").joinpath(FILE).read_text("utf-8"))


def rate(backbone: str, kind: str, method: str) -> TunedRate | None:
    """The entry of one method, or None."""
    return rates().get(backbone, {}).get(kind, {}).get(method)


def parse(text: str) -> Rates:
    """Read the text of such a file; raises as `rates`."""
    return _SHAPE.validate_python(yaml.safe_load(text) or {})


def dump(content: Rates) -> str:
    """The text of such a file, in the order of the alphabet."""
    plain = _SHAPE.dump_python({name: dict(kinds) for name, kinds in content.items()}, mode="json")
    return HEADER + yaml.safe_dump(plain, default_flow_style=None, width=120)
