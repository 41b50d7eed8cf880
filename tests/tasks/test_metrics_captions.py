"""Caption scores against hand-worked cases, and the Java programs against pycocoevalcap's use of them."""

import math
import shutil

import pytest
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from tasks.metrics.captions import ascii_only, caption_scores, tokenised
from tasks.metrics.java import JavaError, java_tokenised, meteor

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="there is no java on the PATH")
SAID = ["A dog runs.", "a man"]
TRUTH = [["the dog runs fast", "a dog is running in the grass"], ["a man sits"]]


@pytest.fixture
def no_java(monkeypatch):
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def broken_java(monkeypatch, tmp_path):
    """A java that ends at once."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no memory >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_bleu_takes_the_reference_closest_in_length(no_java):
    found = caption_scores(SAID, TRUTH)
    # words: "a dog runs" has 3 of 3, "a man" 2 of 2; the closest references have 4 and 3 words
    assert found["bleu-1"][0] == pytest.approx(math.exp(1 - 7 / 5))
    # pairs: "a dog", "dog runs" of two, "a man" of one
    assert found["bleu-2"][0] == pytest.approx(math.exp(1 - 7 / 5))
    # no caption has four words; 1e-9 and 1e-15 are the official smoothing
    assert found["bleu-4"][0] < 1e-3
    assert found["bleu-1"][1] == pytest.approx([math.exp(1 - 4 / 3), math.exp(1 - 3 / 2)])


def test_rouge_takes_the_best_recall_and_the_best_precision(no_java):
    found = caption_scores(SAID, TRUTH)["rouge-l"]

    def measure(precision, recall):
        return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)

    # longest common sub-sequences: "dog runs" of 3 and 4 words, "a dog" of 3 and 7; "a man" of 2 and 3
    assert found[1] == pytest.approx([measure(2 / 3, 2 / 4), measure(2 / 2, 2 / 3)])
    assert found[0] == pytest.approx(sum(found[1]) / 2)


def test_all_scores_see_the_same_tokens(no_java):
    def one_token(captions):
        return ["same"] * len(captions)

    found = caption_scores(SAID, TRUTH, one_token)
    assert found["bleu-1"][0] == pytest.approx(1.0)
    assert found["rouge-l"][1] == pytest.approx([1.0, 1.0])
    assert found["cider"][0] == 0.0  # a word of every image has no weight


def test_an_empty_caption_scores_zero(no_java):
    found = caption_scores(["", "a man sits"], TRUTH)
    assert [found[name][1][0] for name in ("cider", "rouge-l")] == [0.0, 0.0]
    assert found["bleu-1"][1][0] == pytest.approx(0.0, abs=1e-6)


def test_without_java_there_is_no_meteor(no_java):
    assert caption_scores(SAID, TRUTH)["meteor"] is None
    with pytest.raises(JavaError, match="no java on the PATH"):
        java_tokenised(SAID)


def test_with_a_java_that_fails_there_is_no_meteor(broken_java):
    assert meteor(SAID, TRUTH) is None
    with pytest.raises(JavaError, match=r"0 lines for 2 captions \(no memory\)"):
        java_tokenised(SAID)


def test_other_characters_than_ascii_become_spaces():
    assert ascii_only("cr\u00e8me br\u00fbl\u00e9e\u2019s!") == "cr me br l e s!"


@needs_java
def test_java_tokens_are_the_official_ones():
    captions = ["", "A man's dog doesn't run .", 'café 1 1/2, (555) 555-5555 "x"', "  ", "two\nlines", "x -- y;", ""]
    official = PTBTokenizer().tokenize({i: [{"caption": caption}] for i, caption in enumerate(captions)})
    assert java_tokenised(captions) == [lines[0] for lines in official.values()]
    assert java_tokenised([]) == []
    assert java_tokenised(["strange\u2028ends\r\nof lines"]) == ["strange ends of lines"]
    assert java_tokenised(SAID) == tokenised(SAID)
