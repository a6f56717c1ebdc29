"""Files: the one error for bad input, atomic writes, and loads that cannot execute anything.

Every file this project writes appears whole or not at all (written beside its target, then renamed), and every
format names itself and its version, so that a stranger's or a later file is refused with a clear line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Plain = TypeVar("Plain", bound="DataclassInstance")
MAX_ARRAY_BYTES = 2 << 30  # a loaded .npz may not unpack to more (zip bombs)


class UserError(Exception):
    """Bad input: one line saying what, where and what to do. The command line prints it and exits with status 2."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that replaces `path` when the block ends without an error, and vanishes otherwise."""
    require_name(path)
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}; free space or choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def require_name(path: str | os.PathLike[str]) -> None:
    """UserError for a path that no file can have, as "" or "/": to be said before work whose result goes there."""
    if not Path(path).name:
        raise UserError(f"cannot write {str(path)!r}: not the name of a file")


def require_place(path: str | os.PathLike[str]) -> None:
    """UserError where no file can be written at `path`: to be said before the work whose result goes there."""
    require_name(path)
    target = Path(path)
    if target.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; give a file's name")
    folder = next(parent for parent in target.absolute().parents if os.path.exists(parent))
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise UserError(f"cannot write {path}: {folder} is no folder that can be written; choose another place")


def check_target(path: str | os.PathLike[str], command: str) -> None:
    """UserError when `path` exists and does not begin with written_by(command): an export replaces nobody else's file."""
    if os.path.isdir(path) or (os.path.lexists(path) and not read_bytes(path).startswith(written_by(command).encode())):
        raise UserError(f"{path} exists and `a3cs {command}` did not write it; choose another folder or name")


def written_by(command: str) -> str:
    """How the files that a command generates begin, in C: check_target looks for it."""
    return f"/* Written by `a3cs {command}`"


def write_bytes(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Write `data` to `path` atomically."""
    with atomic_write(path) as file:
        file.write(data)


def write_json(path: str | os.PathLike[str], document: Any) -> None:
    """Write a JSON document, indented, atomically."""
    write_bytes(path, (json.dumps(document, indent=1) + "\n").encode())


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The file's bytes; UserError when it is missing or unreadable."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def read_json(path: str | os.PathLike[str], format_name: str, version: int) -> dict[str, Any]:
    """A JSON object whose `format` and `version` fields are the ones given; UserError otherwise."""
    try:
        document = json.loads(read_bytes(path), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # a damaged file, or one nested without end
        raise UserError(f"{path}: not a JSON document ({error})") from error
    check_format(document, format_name, version, path)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a field that stands twice Python keeps the last one without a word."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"field {next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return document


def check_format(header: Any, format_name: str, version: int, path: str | os.PathLike[str]) -> None:
    """UserError unless the header says that it is `format_name` of this version."""
    if not isinstance(header, dict) or header.get("format") != format_name:
        found = header.get("format") if isinstance(header, dict) else None
        raise UserError(f"{path}: not an {format_name} file" + (f"; its format is {found}" if found else ""))
    found = header.get("version")
    if type(found) is not int or found != version:
        raise UserError(f"{path}: {format_name} version {found} is unknown here; this release reads version {version}")


def from_fields(kind: type[Plain], entry: Any, where: str) -> Plain:
    """The dataclass whose fields a JSON object holds, each of exactly its type: 3.5 or true must not pass for an integer.

    where: what the object is, as the UserError for a field that is missing, unknown or of another type says.
    """
    fields = dataclasses.fields(kind)
    if not isinstance(entry, dict):
        raise UserError(f"{where}: must be an object with the fields {', '.join(field.name for field in fields)}")
    for field in fields:
        value = entry.get(field.name, field.default)
        if value is dataclasses.MISSING:
            raise UserError(f"{where}: field {field.name!r} is missing")
        if type(value).__name__ != field.type:
            raise UserError(f"{where}: {field.name} is {value!r}, not of type {field.type}")
    unknown = entry.keys() - {field.name for field in fields}
    if unknown:
        raise UserError(f"{where}: unknown field {min(unknown)!r}")
    return kind(**entry)


def write_npz(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays and a JSON header (stored as the bytes of the member `header`) in an uncompressed .npz, atomically."""
    write_bytes(path, npz_bytes(header, arrays))


def npz_bytes(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of the .npz that write_npz writes."""
    encoded = np.frombuffer(json.dumps(header).encode(), np.uint8)
    archive = io.BytesIO()  # on a full disk NumPy's older releases leave an archive open whose __del__ then complains
    np.savez(archive, header=encoded, **dict(arrays))  # type: ignore[arg-type]
    return archive.getvalue()


def read_npz(
    path: str | os.PathLike[str], format_name: str | None = None, version: int | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a .npz written by write_npz. Pickles are refused; so is a file of another format or version."""
    raw = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_ARRAY_BYTES:
                raise UserError(f"{path}: unpacks to more than {MAX_ARRAY_BYTES >> 30} GiB; refused")
        with np.load(io.BytesIO(raw), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        header = json.loads(arrays.pop("header").tobytes())
        if not isinstance(header, dict):
            raise TypeError("its header is no JSON object")
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises anything from BadZipFile to EOFError
        raise UserError(f"{path}: damaged or not a .npz of this project ({type(error).__name__}: {error})") from error
    if format_name is not None and version is not None:
        check_format(header, format_name, version, path)
    return header, arrays


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of a .npy file. Pickles are refused."""
    raw = read_bytes(path)
    try:
        return np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
    except Exception as error:  # a damaged header raises anything from ValueError to MemoryError
        raise UserError(f"{path}: damaged or not a .npy array ({type(error).__name__}: {error})") from error
