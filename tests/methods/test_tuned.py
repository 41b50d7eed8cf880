"""The learning rates that come with the project, and who takes them."""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

import pytest
from pydantic import ValidationError

from harness.backbones.specs import SPECS
from harness.plugins import find_methods
from methods import Method, tuned

SEARCH = {
    "candidates": [0.001, 0.01],
    "at_edge": True,
    "suite": "mini-image",
    "splits": ["validation"],
    "examples": 900,
    "limit": None,
    "epochs": 5,
    "steps": 100,
    "seeds": [100],
    "harness_version": "0.1.0",
}


class Own(Method):
    name = "own"
    title = "Own"
    presets: ClassVar = {"bart": {"size": 2}, "small": {"learning_rate": 0.5, "size": 3}}
    learning_rate: float = 0.25
    size: int = 1

    def attach(self, model, context): ...


@pytest.fixture
def own_rate(monkeypatch):
    found = {"small": {"image-text": {"own": tuned.TunedRate(learning_rate=0.125)}}}
    monkeypatch.setattr(tuned, "rates", lambda: found)


def test_the_shipped_rates_are_of_methods_and_backbones_that_exist():
    rates = tuned.rates()
    assert set(rates) <= set(SPECS)
    assert set(rates["mini-bart"]["image-text"]) <= set(find_methods().names())
    for name, entry in rates["mini-bart"]["image-text"].items():
        method = find_methods().get(name).configured("bart", "image-text", "mini-bart")
        assert method.learning_rate == entry.learning_rate


def test_the_shipped_file_is_what_writing_it_again_gives():
    assert tuned.dump(tuned.rates()) == files("methods").joinpath(tuned.FILE).read_text("utf-8")


def test_a_tuned_rate_comes_before_presets_and_after_overrides(own_rate):
    def configured(backbone, kind="image-text", like="", **overrides):
        method = Own.configured("bart", kind, backbone, overrides, like)
        return method.learning_rate, method.size

    assert configured("small") == (0.125, 3)  # other presets of the backbone stay
    assert configured("small", learning_rate=0.75) == (0.75, 3)
    assert configured("small", "video-text") == (0.5, 3)
    assert configured("large") == (0.25, 2)
    assert configured("large", like="small") == (0.125, 3)
    assert configured("small", like="large") == (0.125, 3)  # its own come first


def test_what_is_written_is_read_again():
    entry = {"learning_rate": 0.01, "search": SEARCH}
    content = {"small": {"image-text": {"own": tuned.TunedRate.model_validate(entry)}}}
    assert tuned.parse(tuned.dump(content)) == content


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"learning_rate": 0.1, "search": SEARCH | {"more": 1}}, {}])
def test_a_file_of_another_shape_is_refused(wrong):
    with pytest.raises(ValidationError):
        tuned.parse(f"small: {{image-text: {{own: {wrong}}}}}".replace("None", "null").replace("True", "true"))
