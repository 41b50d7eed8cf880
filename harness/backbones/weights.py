"""Where the files of pre-trained weights lie on this machine; backbones and image encoders share it.

The first of these places that is there counts: the folder of the thing's name below --weights, the folder that
ships with the project, the Hugging Face cache. Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import file_digest
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from harness.errors import Unavailable

EMBEDDED = Path(__file__).parent / "embedded"  # what `python -m harness pretrain` writes
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


@dataclass(frozen=True)
class WeightFiles:
    """The files that something pre-trained consists of. Either ``embedded`` or ``hub`` is set."""

    name: str  # of their folder below --weights
    owner: str  # the same in a sentence: "mini-bart", "the image encoder mini-clip"
    files: tuple[str, ...]
    embedded: Path | None = None  # their folder in the project
    hub: str = ""  # Hugging Face id

    def missing(self, weights: Path | None = None) -> str | None:
        """Return None if all files are here, else one sentence: what is missing and how to get it.

        ``weights`` is the folder of --weights.
        """
        folder = self._folder(weights)
        lost = [file for file in self.files if folder is None or not (folder / file).is_file()]
        if not lost:
            return None
        what = "are not on this machine" if len(lost) == len(self.files) else f"lack {', '.join(lost)}"
        fetch = "python -m harness pretrain" if self.embedded else f"hf download {self.hub} {' '.join(self.files)}"
        return (
            f"the weights of {self.owner} {what}; "
            f"run `{fetch}`, or put them into DIR/{self.name} and give --weights DIR"
        )

    def folder(self, weights: Path | None = None) -> Path:
        """The folder with all files.

        Raises:
            Unavailable: a file is missing.
        """
        folder, reason = self._folder(weights), self.missing(weights)
        if folder is None or reason is not None:
            raise Unavailable(reason)
        return folder

    def _folder(self, weights: Path | None) -> Path | None:
        """The first of the three places that is there, whole or not."""
        if weights is not None and (weights / self.name).is_dir():
            return weights / self.name
        if self.embedded is not None:
            return self.embedded
        cached = try_to_load_from_cache(self.hub, WEIGHTS)
        return Path(cached).parent if isinstance(cached, str) else None


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; computed again only when the file's size or time changes."""
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


def load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Read ``tokenizer.json``, which says where special tokens are put; BART and T5 share names, T5 has no ``<s>``."""
    tokenizer = Tokenizer.from_file(str(path))
    here = {role: token for role, token in SPECIAL_TOKENS.items() if tokenizer.token_to_id(token) is not None}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **here)


@cache
def _digest(path: Path, _size: int, _modified: int) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
