"""VQA accuracy (Antol et al. 2015), by the rules of the official evaluator of VQA v2 (GT-Vision-Lab/VQA).

For each of the (ten) annotators: min(1, matches among the *other* annotators / 3); the mean over annotators
is the score of the question, the mean over questions the score of the set.

Before matching, prediction and answers are normalised, but only where the annotators do not all agree:
where they do, nothing is touched, not even the prediction. White space at the ends is always removed. The
evaluator inside VL-Adapter and VL-PET differs: it normalises every prediction, and of the answers only the
punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.base import Metric

METRIC = Metric(name="vqa-accuracy", title="VQA accuracy", version="vqa-v2-official-1")

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_ARTICLES = frozenset({"a", "an", "the"})
_DIGITS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}

_CONTRACTED = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't
    mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
    shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
    someone's something'd something'd've something'll that's there'd there'd've there're there's they'd
    they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've
    when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't
    would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
""".split()  # noqa: SIM905 - reads better than 110 quoted words


def _contractions() -> dict[str, str]:
    """Misspelt contraction -> its spelling: exactly one apostrophe of the word is left out."""
    table = {
        word[:place] + word[place + 1 :]: word
        for word in _CONTRACTED
        for place, letter in enumerate(word)
        if letter == "'"
    }
    return table | {"somebody'd": "somebodyd"}  # the one entry of the official table that goes the other way


_CONTRACTIONS = _contractions()
_COMMA_IN_NUMBER = re.compile(r"\d,\d")
_STRAY_DOT = re.compile(r"\.(?!\d)")


def normalise(answer: str) -> str:
    """Return the answer in lower case, without punctuation and articles, numbers as digits."""
    kept = answer
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in answer or f" {mark}" in answer
        drop = beside_space or _COMMA_IN_NUMBER.search(answer)
        kept = kept.replace(mark, "" if drop else " ")
    kept = _STRAY_DOT.sub("", kept, count=32)  # the official evaluator stops at 32 dots (by accident)
    words = (_DIGITS.get(word, word) for word in kept.lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def _one_line(answer: str) -> str:
    return answer.replace("\n", " ").replace("\t", " ").strip()


def accuracy(prediction: str, answers: Sequence[str]) -> float:
    """Return the score of one predicted answer against all annotators' answers.

    Raises:
        ValueError: there is no annotator.
    """
    if not answers:
        raise ValueError("VQA accuracy needs at least one annotator's answer")
    said, given = _one_line(prediction), [_one_line(answer) for answer in answers]
    if len(set(given)) > 1:
        said, given = normalise(said), [normalise(answer) for answer in given]
    return soft_score(given.count(said), len(given))


def soft_score(matches: int, annotators: int = 10) -> float:
    """Return what an answer given by ``matches`` annotators scores (0.3, 0.6, 0.9, 1 for 1 to 4 of ten).

    Mean over annotators: one who gave the answer sees ``matches`` - 1 others with it, every other one
    ``matches``.
    """
    inside, outside = min(1.0, max(0, matches - 1) / 3), min(1.0, matches / 3)
    return (matches * inside + (annotators - matches) * outside) / annotators


def vqa_accuracy(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """Return the mean accuracy and the accuracy of each question (0.0 for no question)."""
    scores = [accuracy(said, answers) for said, answers in zip(predictions, references, strict=True)]
    return sum(scores) / len(scores) if scores else 0.0, scores
