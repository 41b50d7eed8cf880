"""What is held against a task's data as they lie on disk: all of them are there, whole, and nothing is mixed up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.contract.checks import Broken, Check, Outcome
from harness.contract.probes import some
from harness.contract.task_rules import disjoint, features_for_all, well_formed
from harness.data_preparation import altered
from harness.store import Progress, silent
from reports.formats import size
from tasks import ROLES, DataError, FeatureSource, ImageSet, Role, Task


class DataRules:
    """The rules, for any number of tasks; an image set that several of them share is decoded once."""

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._undecoded: dict[tuple[str, str], dict[str, str]] = {}  # of each image set: image id -> reason

    def outcomes(self, task: Task) -> Iterator[Outcome]:
        """Hold all rules against a task; those on what could not be read are skipped."""
        yield Check(self.files, task).outcome()
        yield Check(self.checksums, task).outcome()
        read = [Check(self.records, task, role).outcome() for role in ROLES]
        yield from read
        for rule in (self.counts, self.splits, self.pictures):
            if all(outcome.state == "passed" for outcome in read):
                yield Check(rule, task).outcome()
            else:
                yield Outcome(task.name, "", rule.__name__, "skipped", "the records are not whole")

    def files(self, task: Task, _role: str) -> str:
        """Every file and photo is there."""
        if (reason := task.missing()) is not None:
            raise Broken(reason)
        parts = [part for part in task.parts() if part.there]
        return f"{sum(part.there for part in parts):,} files, {size(sum(part.size for part in parts))}"

    def checksums(self, task: Task, _role: str) -> str:
        """What `data prepare` wrote is as it was written."""
        if task.data is None:
            return ""
        count, wrong = altered(task, self._progress)
        if wrong:
            raise Broken(f"{len(wrong):,} of {count:,} prepared files changed ({some(wrong)}): delete and prepare them")
        return f"{count:,} prepared files" if count else ""

    def records(self, task: Task, role: Role) -> str:
        """The files read as what they should be; ids are unique, and every record has an answer."""
        made = task.records(role)
        well_formed(task, role, made)
        return f"{len(made):,} examples in {task.card.splits[role]}"

    def counts(self, task: Task, _role: str) -> str:
        """There are as many examples as the card says."""
        sizes = task.card.sizes
        found = {name: sum(len(task.records(role)) for role in _roles(name)) for name in sizes}
        wrong = [f"{found[name]:,} of {size:,} in {name}" for name, size in sizes.items() if found[name] != size]
        if wrong:
            raise Broken(f"not the whole data set: {', '.join(wrong)}; scores on it compare with nothing published")
        return "as the card says" if sizes else "the card says no sizes"

    def splits(self, task: Task, _role: str) -> None:
        """No two roles share an image."""
        disjoint(task, {role: task.records(role) for role in ROLES})

    def pictures(self, task: Task, _role: str) -> str:
        """Every image that an example names is there and decodes, or the features that stand for it are read."""
        source = features_for_all(task)
        named: dict[ImageSet, set[str]] = {}
        for role in ROLES:
            named.setdefault(task.images(role), set()).update(i for one in task.records(role) for i in one.images)
        count = sum(map(len, named.values()))
        absent = {image for images, wanted in named.items() for image in wanted.difference(_there(images, source))}
        broken = {
            image: said
            for images in named
            for image, said in self._of(images, source).items()
            if image in named[images]
        }
        told = []
        if absent:
            told.append(f"{len(absent):,} of {count:,} images are not there ({some(absent)})")
        if broken:
            first = min(broken)
            told.append(f"{len(broken):,} of {count:,} images do not decode ({some(broken)}); {broken[first]}")
        if told:
            raise Broken("; ".join(told))
        return f"{count:,} images"

    def _of(self, images: ImageSet, source: FeatureSource | None) -> dict[str, str]:
        """What is wrong with the images of a set, or with the features in their place, by id."""
        key = (images.name, images.fingerprint)
        if key not in self._undecoded:
            self._undecoded[key] = self._decode(images, source)
        return self._undecoded[key]

    def _decode(self, images: ImageSet, source: FeatureSource | None) -> dict[str, str]:
        """Decode all images, on all cores: Pillow's decoders let other threads run."""

        def trouble(image: str) -> str:
            try:
                if source is None:
                    images.open_frames(image)
                else:
                    source.read(images.feature_name(image))
            except DataError as error:
                return str(error)
            return ""

        ids, wrong = _there(images, source), {}
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            for done, (image, said) in enumerate(zip(ids, pool.map(trouble, ids), strict=True), 1):
                self._progress(f"decoding {images.name}", done, len(ids))
                if said:
                    wrong[image] = said
        finally:
            pool.shutdown(cancel_futures=True)
        return wrong


def _there(images: ImageSet, source: FeatureSource | None) -> Sequence[str]:
    """The ids of a set, of those only that have features where there are features in the place of pictures."""
    if source is None:
        return images.ids()
    names = source.names
    return [image for image in images.ids() if images.feature_name(image) in names]


def _roles(name: str) -> list[Role]:
    """The roles of a name in a card's sizes, such as "train+select"."""
    return [role for role in ROLES if role in name.split("+")]
