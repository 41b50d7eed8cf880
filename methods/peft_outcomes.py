"""What peft's types were found to do on encoder-decoders, by peft's version: the content of ``peft_types.yaml``.

The file is written by ``python -m harness probe --write``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import peft
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from methods.base import Added

FILE = "peft_types.yaml"  # in this package
HEADER = """\
# peft's version -> method without "peft/" -> what it was found to do on a small BART and a small T5.
# `python -m harness probe --write` brings the entry of the installed version up to date.
"""


class Outcome(BaseModel):
    """What was found out about one method. The defaults are for those that nobody has probed yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity_at_start: bool = False
    mergeable: bool = False
    needs_numbers: bool = True  # cannot be built on torch's meta device
    counts: Mapping[str, Added] = {}  # by backbone, for those that need numbers
    sizes: Mapping[str, Any] = {}  # all hyper-parameters but the learning rate, with which they were counted
    unusable: str = ""  # why it does not work


Outcomes = Mapping[str, Mapping[str, Outcome]]  # version of peft -> method -> outcome

_SHAPE: TypeAdapter[Outcomes] = TypeAdapter(dict[str, dict[str, Outcome]])


@cache
def stored() -> Outcomes:
    """Everything in the file.

    Raises:
        pydantic.ValidationError: the file does not have the shape above.
    """
    return parse(files("methods").joinpath(FILE).read_text("utf-8"))


def installed() -> Mapping[str, Outcome]:
    """The outcomes for the installed version of peft, or else for the version that was probed last."""
    versions = stored()
    return versions.get(peft.__version__) or (list(versions.values()) or [{}])[-1]


def parse(text: str) -> Outcomes:
    """Read the text of such a file; raises as `stored`."""
    return _SHAPE.validate_python(yaml.safe_load(text) or {})


def dump(content: Outcomes) -> str:
    """The text of such a file."""
    plain = _SHAPE.dump_python({version: dict(found) for version, found in content.items()}, exclude_defaults=True)
    return HEADER + yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=120)
