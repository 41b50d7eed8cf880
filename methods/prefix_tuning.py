"""Multi-task prefix-tuning: learned keys and values in every attention, shared by all tasks."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.prefixes import FoldedPrefix, PrefixNetwork, SharedPrefix
from methods.sites import Backbone, Site, once_per_batch, prefix

Place = Literal["encoder_self_attn", "decoder_self_attn", "decoder_cross_attn"]
PLACES: tuple[Place, ...] = ("encoder_self_attn", "decoder_self_attn", "decoder_cross_attn")


class PrefixTuning(Method):
    """softmax(q [P_k; K]^T) [P_v; V] in every attention; one set of prefixes for all tasks, as HyperPELT re-ran it.

    A network of its own makes the prefixes of each of three places: encoder self-attention, decoder self-attention,
    cross-attention (see `PrefixNetwork`); they run once per batch and are folded into numbers for inference. On T5
    prefixes have no relative position. No norm trains. HyperPELT prints a total of 1.14 times T5-base for its
    multi-task prefix-tuning on GLUE: 49 vectors at two of the places, the preset of T5 on text, give 1.138, at all
    three 1.207.
    """

    name = "prefix"
    title = "Multi-task prefix-tuning"
    paper = Paper(
        key="li2021prefix",
        title="Prefix-Tuning: Optimizing Continuous Prompts for Generation",
        url="https://arxiv.org/abs/2101.00190",
        year=2021,
        section="section 4; shared by all tasks as in HyperPELT (arXiv:2203.03878), section 6.1",
    )
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-4},
        "t5/text": {"places": ("encoder_self_attn", "decoder_self_attn")},
        "mini-bart": {"length": 10, "hidden": 32, "dropout": 0.0},
    }

    length: int = Field(49, ge=1, description="prefix vectors per attention")
    hidden: int = Field(800, ge=1, description="hidden units of the networks that make them")
    dropout: float = Field(0.1, ge=0, lt=1, description="on the prefix vectors, while training")
    places: tuple[Place, ...] = Field(
        PLACES, min_length=1, description="stack and kind of the attentions with prefixes"
    )

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Make one network per place and give every attention there its share."""
        groups = {place: [site for site in model.sites if _place(site) == place] for place in self.places}
        networks = Networks(
            {
                place: PrefixNetwork(sites, model.width, self.length, self.hidden, self.dropout)
                for place, sites in groups.items()
            }
        )
        made = once_per_batch(model, context, model.initialise(networks))
        for place, sites in groups.items():
            for row, site in enumerate(sites):
                prefix(model, site, SharedPrefix(lambda place=place, row=row: made()[place][row]))  # type: ignore[misc]

    def merge(self, model: Backbone) -> None:
        """Keep the prefixes and drop the networks that make them."""
        networks: Networks = model.lm.pet  # type: ignore[assignment]
        networks.fold()


class Networks(nn.ModuleDict):
    """() -> the prefixes of every place, by its name."""

    def forward(self) -> dict[str, Tensor]:
        """Run each network once."""
        return {place: network() for place, network in self.items()}

    def fold(self) -> None:
        """Put numbers in place of the networks."""
        self.update({place: FoldedPrefix(network) for place, network in self.items()})  # type: ignore[arg-type]


def _place(site: Site) -> str:
    return f"{site.stack}_{site.kind}"
