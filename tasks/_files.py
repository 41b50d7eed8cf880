"""Reading data files with checks: Parquet columns, pictures in Parquet, digests of contents."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as arrow
import pyarrow.parquet as parquet
from PIL import Image, UnidentifiedImageError

from tasks.base import DataError, ImageSet

ROWS = 500  # of a table that is written at once: pictures fill memory
_TYPES: Mapping[str, tuple[str, ...]] = {
    "text": ("string", "large_string", "string_view"),
    "integer": ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    "boolean": ("bool",),
    "bytes": ("binary", "large_binary", "binary_view"),
}


def digest(files: Sequence[Path]) -> str:
    """Return a digest of the names and contents of the files.

    Raises:
        DataError: a file cannot be read.
    """
    total = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as opened:
                content = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror}); put the file back or make it readable"
            ) from error
        total.update(f"{path.name} {content}\n".encode())
    return total.hexdigest()[:16]


def read_parquet(path: Path, columns: Mapping[str, str], rows: Mapping[str, Any] | None = None) -> arrow.Table:
    """Read columns of a Parquet file after checking that they are there, of the right type and without gaps.

    Args:
        path: the file.
        columns: name -> "text", "integer", "boolean" or "bytes".
        rows: keep only rows where these columns have these values.

    Raises:
        DataError: the file is missing, is not a whole Parquet file or has other columns.
    """
    wanted = ", ".join(f"{name} ({kind})" for name, kind in columns.items())
    filters = [(name, "=", value) for name, value in rows.items()] if rows else None
    try:
        there = {field.name: str(field.type) for field in parquet.read_schema(path)}
        wrong = [name for name, kind in columns.items() if there.get(name) not in _TYPES[kind]]
        wrong += [name for name in rows or () if name not in there]
        if wrong:
            raise DataError(f"{path}: column {', '.join(wrong)} is absent or of another type; expected {wanted}")
        table = parquet.read_table(path, columns=list(columns), filters=filters)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected Parquet with {wanted}") from error
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: not a whole Parquet file ({reason}); fetch it again") from error
    gaps = [name for name in columns if table[name].null_count]
    if gaps:
        raise DataError(f"{path}: column {', '.join(gaps)} has empty cells; expected a value in every row")
    return table


def decode(encoded: BinaryIO | Path, where: str, image_id: str) -> Image.Image:
    """Return one picture in mode RGB.

    Raises:
        DataError: it is not there or does not decode.
    """
    try:
        with Image.open(encoded) as picture:
            return picture.convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"{where}: image {image_id!r} is not there any more; put the file back") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: image {image_id!r} is no whole PNG or JPEG; fetch the file again") from error


def write_parquet(path: Path, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of ``columns`` (name -> type, as for `read_parquet`) as they come, a few hundred at a time."""
    kinds = {"text": arrow.string(), "integer": arrow.int64(), "boolean": arrow.bool_(), "bytes": arrow.binary()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    waiting = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while block := list(islice(waiting, ROWS)):
            table = dict(zip(columns, zip(*block, strict=True), strict=True))
            writer.write_table(arrow.table(table, schema=schema))


class ParquetImages(ImageSet):
    """Encoded pictures in a column of one or more Parquet files; only a digest is taken before first use."""

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        id_column: tuple[str, str],
        bytes_column: str,
        rows: Mapping[str, Any] | None = None,
    ) -> None:
        """Remember the columns (``id_column`` is its name and type) and which rows count."""
        self.name = name
        self.fingerprint = digest(files)
        self._files = tuple(files)
        self._id_column, self._id_type = id_column
        self._bytes_column = bytes_column
        self._rows = rows

    @cached_property
    def _places(self) -> dict[str, int]:
        """Image id -> its row over all files."""
        names = [str(value) for table in self._read(self._id_column, self._id_type) for value in table.to_pylist()]
        places = {name: row for row, name in enumerate(names)}
        if len(places) < len(names):
            raise DataError(f"{self._where()}: {len(names) - len(places)} image ids occur twice; expected each once")
        return places

    @cached_property
    def _encoded(self) -> arrow.ChunkedArray:
        columns = self._read(self._bytes_column, "bytes")
        return arrow.chunked_array([chunk.cast(arrow.large_binary()) for column in columns for chunk in column.chunks])

    def _read(self, column: str, kind: str) -> list[arrow.ChunkedArray]:
        return [read_parquet(path, {column: kind}, self._rows)[column] for path in self._files]

    def _where(self) -> str:
        return " and ".join(map(str, self._files))

    def ids(self) -> Sequence[str]:
        """Image ids in the order of the files."""
        return tuple(self._places)

    def open(self, image_id: str) -> Image.Image:
        """Decode one picture."""
        if image_id not in self._places:
            raise DataError(f"{self._where()}: no image {image_id!r}; expected one of {len(self._places)} ids")
        return decode(io.BytesIO(self._encoded[self._places[image_id]].as_py()), self._where(), image_id)
