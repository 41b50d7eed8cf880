"""Three tasks over plain-coloured images, small enough to train on in a test; also given as a --plugin file."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from tasks import Card, DataError, Decoding, Example, ImageSet, Metric, Role, Scored, Task

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
COUNTS = {"train": 24, "select": 6, "report": 9}


class Plain(ImageSet):
    """One image per number, its colour by the number modulo three."""

    fingerprint = "1"

    def __init__(self, role: Role) -> None:
        self.name = f"plain/{role}"
        self.count = COUNTS[role]

    def ids(self) -> Sequence[str]:
        return [f"{number}" for number in range(self.count)]

    def open(self, image_id: str) -> Image.Image:
        if int(image_id) >= self.count:
            raise DataError(f"{self.name}: no image {image_id}")
        return Image.new("RGB", (6, 6), colour(int(image_id))[1])


def colour(number: int) -> tuple[str, tuple[int, int, int]]:
    return list(COLOURS.items())[number % 3]


class SmallTask(Task):
    """Base: exact match."""

    version = "1"

    @property
    def card(self) -> Card:
        return Card(
            title=self.name,
            summary="A plain-coloured image goes in, a word comes out.",
            source="made here",
            licence="CC0-1.0",
            splits={"train": "learn", "select": "choose", "report": "publish"},
            metric=Metric(name="accuracy", title="Accuracy", version="1"),
        )

    def fingerprint(self) -> str:
        return f"{self.name} {COUNTS}"

    def images(self, role: Role) -> ImageSet:
        return Plain(role)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        pairs = zip(examples, predictions, strict=True)
        hits = [float(prediction in example.references) for example, prediction in pairs]
        return Scored(sum(hits) / len(hits), hits)


class SmallColour(SmallTask):
    """What colour? Questions differ in length; the loss is weighted as VQA's."""

    name = "small-colour"
    prefix = "ask: "
    published_prefix = "ask: say: "
    loss = "weighted-example"
    text_limit = 12

    def examples(self, role: Role) -> Sequence[Example]:
        return [
            Example(
                f"{number}",
                " ".join(["what"] * (1 + number % 4) + ["colour"]),
                (f"{number}",),
                (colour(number)[0],),
                (1.0,),
                (colour(number)[0],),
                cluster=f"image {number}",
            )
            for number in range(COUNTS[role])
        ]


class SmallTruth(SmallTask):
    """Do two images have the same colour? No generation."""

    name = "small-truth"
    prefix = "say: "
    decoding = Decoding(choices=("true", "false"))
    batch_share = 0.5

    def examples(self, role: Role) -> Sequence[Example]:
        made = []
        for number in range(COUNTS[role]):
            other = (number * 2) % COUNTS[role]
            answer = "true" if colour(number) == colour(other) else "false"
            images = (f"{number}", f"{other}")
            made.append(Example(f"{number}", "same colour", images, (answer,), (1.0,), (answer,)))
        return made


class SmallCaption(SmallTask):
    """Name the colour in a sentence; beams."""

    name = "small-caption"
    prefix = "tell: "
    decoding = Decoding(beams=3, max_length=8, no_repeat_ngram_size=0)
    loss = "token"

    def examples(self, role: Role) -> Sequence[Example]:
        made = []
        for number in range(COUNTS[role]):
            captions = (f"a {colour(number)[0]} image", f"{colour(number)[0]}")
            made.append(Example(f"{number}", "", (f"{number}",), captions, (3.0, 1.0), captions))
        return made
