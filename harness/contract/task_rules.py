"""The rules of tasks: functions of a task with its data and a role that raise `Broken` where they are not kept."""

from __future__ import annotations

import math
import random
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from reprlib import Repr

from harness.contract.checks import Broken, Rule
from harness.contract.probes import some
from harness.texts import prefixed
from tasks import ROLES, Example, FeatureSource, ImageSet, Role, SubmittedTask, Task
from tasks.targets import weighted_targets

NAME = r"[a-z][a-z0-9]*([-/][a-z0-9_]+)*"
SCORED = 500  # examples that the scorer is tried on
OPENED = 2  # images of each role that are decoded, or features that are read
TOLERANCE = 1e-9
_SHORT = Repr()
_SHORT.maxstring = 100


def declaration(task: Task, _role: str) -> None:
    """Name, docstring, version, prefix and a complete card."""
    if not re.fullmatch(NAME, task.name):
        raise Broken(f"name is {task.name!r}: write lower-case words joined by '-', such as 'coco-caption'")
    if not (type(task).__doc__ or "").strip():
        raise Broken("the docstring is missing: say in a sentence what is to be done")
    if not (task.version and isinstance(task.prefix, str)):
        raise Broken("version or prefix is missing: write version = '1' and a prefix, which may be ''")
    card = task.card
    texts = ("title", "summary", "source", "licence", "cluster")
    if empty := [name for name in texts if not getattr(card, name).strip()]:
        raise Broken(f"the card's {some(empty)} is empty: say it")
    if not (card.metric.title and card.metric.version):
        raise Broken("the metric's title or version is empty: say it")
    roles = (*ROLES, "submit") if isinstance(task, SubmittedTask) else ROLES
    if unnamed := [role for role in roles if not card.splits.get(role)]:
        raise Broken(f"the card names no split for {some(unnamed)}: name one in splits")
    if "submit" in set(card.splits).difference(roles):
        raise Broken("the card names a split to submit: derive the task from SubmittedTask, or take the split away")
    if card.splits["select"] == card.splits["report"]:
        raise Broken(f"{card.splits['report']!r} selects and reports: keep a part of train to select on")


def absence(task: Task, _role: str) -> None:
    """Where there is no data, `missing` says so in one sentence instead of raising."""
    kind = type(task)
    with tempfile.TemporaryDirectory() as empty:
        for said in (kind().missing(), kind(Path(empty)).missing()):
            if said is not None and (not said.strip() or "\n" in said):
                raise Broken(f"missing() says {said!r} without data: write what is missing and how to get it")


def examples(task: Task, role: Role) -> None:
    """Every example has an id of its own, references, a cluster, fitting weights, and something to learn from."""
    well_formed(task, role, task.examples(role))


def well_formed(task: Task, role: Role, made: Sequence[Example]) -> None:
    """Raise `Broken` at examples that could not be trained on or scored."""
    split = task.card.splits[role]
    if not made:
        raise Broken(f"{split} holds no example: put the files back, or correct the names of the splits")
    if doubled := [name for name, count in Counter(example.id for example in made).items() if count > 1]:
        raise Broken(f"{len(doubled):,} ids of {split} occur twice ({some(doubled)}): give each example its own")
    wrongs = (
        ("no answer", lambda one: not any(text.strip() for text in one.references), "give references to score against"),
        ("no cluster", lambda one: not one.cluster, "set it to the image's id, say"),
        ("a weight of 0 or less", lambda one: not all(w > 0 for _, w in weighted_targets(one)), "leave the target out"),
        ("an empty target", lambda one: role == "train" and not all(map(str.strip, one.targets)), "leave it out"),
        (
            "a reference that is no choice",
            lambda one: task.decoding.choices and not set(one.references) <= set(task.decoding.choices),
            "write the references as the choices are written",
        ),
    )
    for what, is_wrong, fix in wrongs:
        if wrong := [example.id for example in made if is_wrong(example)]:
            raise Broken(f"{len(wrong):,} of {len(made):,} examples of {split} have {what} ({some(wrong)}): {fix}")
    if len(counts := {len(example.images) for example in made}) > 1:
        raise Broken(f"examples of {split} have {some(map(str, counts))} images: give all the same number")


def splits(task: Task, _role: str) -> None:
    """No two roles share an (image, text) pair, and none an image; examples without images are left out."""
    disjoint(task, {role: task.examples(role) for role in ROLES})


def disjoint(task: Task, made: dict[Role, Sequence[Example]]) -> None:
    """Raise `Broken` where two roles share pairs or images."""
    pairs = {role: {(image, one.text) for one in found for image in one.images} for role, found in made.items()}
    for first, second in combinations(made, 2):
        shared_pairs = pairs[first] & pairs[second]
        images = [{image for image, _ in pairs[role]} for role in (first, second)]
        if shared := images[0] & images[1]:
            raise Broken(
                f"{len(shared):,} images are in {task.card.splits[first]} and in {task.card.splits[second]} "
                f"({some(shared)}), {len(shared_pairs):,} (image, text) pairs too: part the examples by image"
            )


def images(task: Task, role: Role) -> None:
    """Every image that an example names is in the image set, and opens as RGB, with as many frames as declared.

    Where features stand for images whatever the encoder, they are read instead.
    """
    known = task.images(role)
    if not (known.name and known.fingerprint):
        raise Broken("the image set's name or fingerprint is empty: features of images are kept under them")
    named = sorted({image for example in task.examples(role) for image in example.images})
    if unknown := set(named) - set(known.ids()):
        raise Broken(f"{len(unknown):,} of {len(named):,} images are not in the image set ({some(unknown)}): add them")
    source = features_for_all(task)
    for image in named[:OPENED]:
        if source is None:
            _opens(known, image)
        else:
            _reads(source, known.feature_name(image))


def features_for_all(task: Task) -> FeatureSource | None:
    """The features that stand for a task's images whatever the encoder: then it has no pictures."""
    return task.precomputed("any")


def _opens(known: ImageSet, image: str) -> None:
    frames = known.open_frames(image)
    if len(frames) != known.frames:
        raise Broken(f"image {image!r} has {len(frames)} frames, not the declared {known.frames}: correct frames")
    if modes := {frame.mode for frame in frames} - {"RGB"}:
        raise Broken(f"image {image!r} opens in mode {some(modes)}: return picture.convert('RGB')")


def _reads(source: FeatureSource, name: str) -> None:
    shape, declared = source.read(name).shape, (source.tokens, source.width)
    if shape != declared:
        raise Broken(f"the features of {name!r} are {shape}, not the declared {declared}: correct tokens and width")


def rendering(task: Task, role: Role) -> str:
    """The first example as the model and a person see it, which is the remark; without text there is an image."""
    first = task.examples(role)[0]
    text = prefixed(task.prefix, first.whole_text, task.prefix_place)
    if not (first.whole_text or first.images):
        raise Broken(f"example {first.id!r} has neither text nor image: there is nothing to go on")
    source, known = features_for_all(task), task.images(role)
    if source is None:
        looks = ["image {} × {}".format(*known.open(image).size) for image in first.images]
    else:
        looks = [f"features {source.tokens} × {source.width}"] * len(first.images)
    seen = ", ".join(looks)
    targets = ", ".join(map(_SHORT.repr, first.targets[:3] or first.references[:3]))
    return f"{', '.join(filter(None, (_SHORT.repr(text), seen)))} -> {targets}"


def scoring(task: Task, _role: str) -> None:
    """Perfect predictions beat constant ones, empty ones score zero, and the order of examples does not matter."""
    made = sampled(task.examples("report"))
    answers = [perfect(example) for example in made]
    best = _scored(task, made, answers)
    nothing = _scored(task, made, [""] * len(made))
    if abs(nothing) > TOLERANCE:
        raise Broken(f"empty predictions score {nothing:.4f}: count them as wrong")
    if best <= max(nothing, 0.0):
        raise Broken(f"predicting the heaviest target or first reference scores {best:.4f}: correct the scorer")
    constant = _scored(task, made, [answers[0]] * len(made))
    if constant > best + TOLERANCE or (constant == best and len(set(answers)) > 1):
        raise Broken(f"the first answer for all scores {constant:.4f}, every right one {best:.4f}: correct the scorer")
    turned = _scored(task, made[::-1], answers[::-1])
    if not math.isclose(turned, best, rel_tol=1e-6, abs_tol=1e-9):
        raise Broken(f"scores {best:.6f}, and {turned:.6f} in another order: score each example by itself")


def _scored(task: Task, made: Sequence[Example], predictions: Sequence[str]) -> float:
    scored = task.score(made, predictions)
    if len(scored.per_example) != len(made):
        raise Broken(f"score returns {len(scored.per_example)} scores of {len(made)} examples: return one for each")
    # An example may have no score of its own, as under a correlation.
    if not math.isfinite(scored.value) or any(map(math.isinf, scored.per_example)):
        raise Broken("a score is infinite or no number: return 0 where nothing can be scored")
    return scored.value


def repetition(task: Task, _role: str) -> None:
    """The same data give the same fingerprints and reporting examples."""
    again = type(task)(task.data)
    if again.fingerprint() != task.fingerprint():
        raise Broken("a second reading has another fingerprint: make it from the data alone")
    if list(again.examples("report")) != list(task.examples("report")):
        raise Broken("a second reading gives other examples: draw with a fixed seed, in the files' order")
    if again.images("report").fingerprint != task.images("report").fingerprint:
        raise Broken("a second reading gives another fingerprint of the images: make it from them alone")


def sampled(made: Sequence[Example], count: int = SCORED) -> list[Example]:
    """At most ``count`` examples, drawn by seed, in their order."""
    drawn = random.Random(0).sample(range(len(made)), min(count, len(made)))
    return [made[index] for index in sorted(drawn)]


def perfect(example: Example) -> str:
    """The heaviest target, which no prediction beats; the first reference where there is none."""
    return max(weighted_targets(example), key=lambda pair: pair[1], default=(example.references[0], 1.0))[0]


# Those that need no data:
DECLARED: tuple[Rule, ...] = (declaration, absence)
BY_ROLE: tuple[Rule, ...] = (examples, images, rendering)
OVER_ROLES: tuple[Rule, ...] = (splits, scoring, repetition)
