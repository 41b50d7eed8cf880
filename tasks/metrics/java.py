"""The two parts of the official caption evaluation that are Java programs: the tokeniser and METEOR."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pycocoevalcap.meteor import meteor as meteor_wrapper
from pycocoevalcap.tokenizer import ptbtokenizer

_TOKENISER = "edu.stanford.nlp.process.PTBTokenizer"


class JavaError(Exception):
    """Java is absent or cannot run the program; the message is one sentence."""


def java_tokenised(captions: Sequence[str]) -> list[str]:
    """Return the lower-case tokens of each caption, joined by spaces, punctuation dropped, as CoreNLP 3.4.1 sees them.

    Raises:
        JavaError: Java is absent or failed.
    """
    if shutil.which("java") is None:
        raise JavaError("there is no java on the PATH")
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    lines = "".join(" ".join(caption.splitlines()) + "\n" for caption in captions)
    command = ["java", "-cp", str(jar), _TOKENISER, "-preserveLines", "-lowerCase"]
    done = subprocess.run(command, input=lines.encode(), capture_output=True, check=False)
    found = done.stdout.decode().split("\n")[:-1]
    if done.returncode or len(found) != len(captions):
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise JavaError(f"the tokeniser gave {len(found)} lines for {len(captions)} captions ({last})")
    return [" ".join(word for word in line.split(" ") if word not in ptbtokenizer.PUNCTUATIONS) for line in found]


def meteor(said: Sequence[str], truth: Sequence[Sequence[str]]) -> tuple[float, list[float]] | None:
    """Return METEOR 1.5 (Denkowski & Lavie 2014) of the corpus and of each image; None where Java cannot run it.

    Args:
        said: one tokenised caption an image.
        truth: the tokenised references of each image.
    """
    if shutil.which("java") is None:
        return None
    jar = Path(meteor_wrapper.__file__).with_name(meteor_wrapper.METEOR_JAR)
    command = ["java", "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    try:
        with subprocess.Popen(
            command, cwd=jar.parent, encoding="utf-8", stdin=pipe, stdout=pipe, stderr=nowhere
        ) as program:
            counted = [_asked(program, ["SCORE", *group, line]) for group, line in zip(truth, said, strict=True)]
            first = _asked(program, ["EVAL", *counted])
            values = [float(first), *(float(_answer(program)) for _ in counted)]
            program.kill()  # it would go on waiting
    except (OSError, ValueError):  # it ended before its answer
        return None
    return values[-1], values[:-1]


def _asked(program: subprocess.Popen[str], parts: Sequence[str]) -> str:
    """METEOR's answer to one line of its own protocol, of which "|||" parts the fields."""
    assert program.stdin is not None
    fields = (part.replace("|||", "").replace("  ", " ") for part in parts)
    program.stdin.write(" ||| ".join(fields) + "\n")
    program.stdin.flush()
    return _answer(program)


def _answer(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()
