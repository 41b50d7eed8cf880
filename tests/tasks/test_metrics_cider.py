"""CIDEr-D against hand-worked cases and against the official pipeline with its Java tokeniser."""

import json
import math
import random
import subprocess
import sys

import pytest
from pycocoevalcap.cider.cider import Cider

from tasks.metrics.cider import METRIC, cider, cider_of_words
from tasks.metrics.constant_caption import ConstantCaption
from tasks.metrics.tokens import NAME, tokens

REFERENCES = [
    ["a red dog runs on the grass", "a dog is running fast", "the red dog runs"],
    ["two men play football in a park", "men are playing football", "people in the park"],
    ["a plate of food on a table", "some food on a plate", "dinner is on the table"],
]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A man's dog doesn't run .", "a man 's dog does n't run"),
        ('A sign says "To 75".', "a sign says to 75"),
        ("a black-haired boy, 2nd; in t-shirt!", "a black-haired boy 2nd in t-shirt"),
        ("at 5:30 p.m. on the U.S. flag", "at 5:30 p.m. on the u.s. flag"),
        ("He cannot, they're gonna, we'll", "he can not they 're gon na we 'll"),
        ("the dogs' bowls", "the dogs bowls"),
        ("mr. smith (left)", "mr. smith -lrb- left -rrb-"),
        ("ready to bat., and so on...", "ready to bat. and so on"),
        ("it’s 3,000 people -- or 1/2", "it 's 3,000 people or 1/2"),
        ("No. 5 (no. 6), no.", "no. 5 -lrb- no. 6 -rrb- no"),
        ("what?! really??", "what ?! really ??"),
        ("", ""),
    ],
)
def test_tokens_follow_the_treebank_rules(caption, expected):
    """Expected by CoreNLP 3.4.1's PTBTokenizer and the removal of its punctuation list."""
    assert tokens(caption) == expected.split()


def test_a_caption_equal_to_its_only_reference_scores_ten():
    captions = ["a red dog runs fast", "two men play football today"]
    value, each = cider(captions, [[caption] for caption in captions])
    assert each == pytest.approx([10.0, 10.0])
    assert value == pytest.approx(10.0)


def test_no_shared_word_scores_zero():
    assert cider(["zebra", ""], [["a dog runs"], ["a man sits"]]) == (0.0, [0.0, 0.0])


def test_a_longer_caption_is_damped():
    truth = [["a red dog runs fast"], ["two men play football today"]]
    _, each = cider(["a red dog runs fast fast", truth[1][0]], truth)
    # one more word; every n-gram of the truth is found, so order n is cos_n = (6 - n) / |caption|_n |truth|_n
    unigram = 5 / (math.sqrt(4 + 4) * math.sqrt(5))  # "fast" twice
    others = [(5 - n) / math.sqrt((6 - n) * (5 - n)) for n in (1, 2, 3)]
    assert each[0] == pytest.approx(10 / 4 * (unigram + sum(others)) * math.exp(-1 / 72))


def test_document_frequencies_come_from_the_scored_images():
    captions = [group[0] for group in REFERENCES]
    alone = cider(captions[:1], REFERENCES[:1])[1][0]
    assert alone == 0.0  # every n-gram is in every image, so none has weight
    assert cider(captions, REFERENCES)[1][0] > 1.0


def test_unusable_references_are_refused():
    with pytest.raises(ValueError, match="without a reference"):
        cider(["a dog"], [[]])
    with pytest.raises(ValueError, match="2 captions for 1"):
        cider(["a dog", "a cat"], [["a dog"]])


def test_a_constant_caption_scores_as_if_it_were_repeated():
    scorer = ConstantCaption(REFERENCES)
    for caption in ("a red dog runs", "on the table", "a zebra on a plate of food food", "zebra", ""):
        assert scorer.score(caption) == pytest.approx(cider([caption] * 3, REFERENCES)[0], abs=1e-12)


def test_the_version_names_the_tokeniser():
    assert NAME in METRIC.version


def test_no_java_and_no_torch_is_needed():
    code = (
        "import sys, subprocess; subprocess.Popen = None; from tasks.metrics.cider import cider;"
        "assert cider(['a dog', 'a cat'], [['a dog'], ['a cat']])[0] > 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("name", "images"), [("fakecap", 251), ("model", 378)])
def test_real_captions_score_as_in_the_official_pipeline(real_folder, name, images):
    """Measured difference to the Java tokeniser on both files: none, for the corpus and for every image."""
    folder = real_folder("coco_captions")
    official = json.loads((folder / "reference_scores.json").read_text())
    truth: dict[int, list[str]] = {}
    for row in json.loads((folder / "captions_val2014_subset500.json").read_text())["annotations"]:
        truth.setdefault(row["image_id"], []).append(row["caption"])
    said = {
        row["image_id"]: row["caption"]
        for row in json.loads((folder / f"captions_val2014_{name}_results.json").read_text())
    }
    assert len(said) == images
    value, each = cider(list(said.values()), [truth[image] for image in said])
    assert value == pytest.approx(official["corpus"][name]["scores"]["CIDEr"], abs=1e-9)
    expected = [official["per_image"][name][str(image)]["CIDEr"] for image in said]
    assert each == pytest.approx(expected, abs=1e-9)


def test_any_words_score_as_in_pycocoevalcap():
    """Words drawn from few, so that n-grams repeat, between texts and within them; some texts are empty."""
    draw = random.Random(0)

    def text():
        return " ".join(draw.choices(["a", "the", "red", "dog", "cat", "sits", "on"], k=draw.choice([0, 1, 2, 5, 12])))

    for images in (1, 2, 40):
        truth = [[text() for _ in range(draw.randint(1, 5))] for _ in range(images)]
        said = [text() for _ in range(images)]
        expected, each = Cider().compute_score(dict(enumerate(truth)), {i: [words] for i, words in enumerate(said)})
        found = cider_of_words([words.split() for words in said], [[words.split() for words in g] for g in truth])
        assert found[0] == pytest.approx(expected, abs=1e-9)
        assert found[1] == pytest.approx(list(each), abs=1e-9)
