"""Reading what a design wrote: UNIT.bin, UNIT.npy, UNIT.hex or UNIT.dat, a file or a folder of them.

UNIT.acc.bin and so on hold accumulators in the same forms: words of acc_bits, int64 in .bin and .npy.

.bin    raw words as in the golden folder
.npy    integers of y's type or a wider signed one
.hex    as $readmemh reads it: hexadecimal words separated by white space, // and /* */ comments, @ADDRESS where it changes
        nothing; two's complement at y's width, more digits sign-extended or zero
.dat    as hls4ml writes: decimal words separated by white space, a row a line (only their order counts)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from a3cs_hw.files import UserError, read_bytes, read_npy
from a3cs_hw.fixed import Format, wrap
from a3cs_hw.word_order import GOLDEN, from_order, in_order

SUFFIXES = (".bin", ".npy", ".hex", ".dat")
ACC = ".acc"  # UNIT.acc.bin holds a unit's accumulators
MAX_DIGITS = 16  # of a hexadecimal word; decimal words have at most 20 characters
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def dump_files(dump: Path, unit: str | None) -> dict[str, Path]:
    """The dump's files by unit name. unit: whose output a single file holds, by default the one its name says."""
    known = ", ".join(SUFFIXES)
    if dump.is_dir():
        paths = sorted(path for path in dump.iterdir() if path.suffix in SUFFIXES)
    elif dump.is_file() and dump.suffix in SUFFIXES:
        paths = [dump]
    elif dump.exists():
        raise UserError(f"{dump}: its name does not end in {known}; rename it, or give a folder of such files, UNIT.bin, ...")
    else:
        raise UserError(f"{dump}: no such dump; give a file that ends in {known}, or a folder of such files, UNIT.bin, ...")
    if not paths:
        raise UserError(f"{dump}: holds no file that ends in {known}; name each after its unit")
    if unit is not None and len(paths) > 1:
        raise UserError(f"{dump}: --unit names the unit of a single file, this is a folder of {len(paths)}")
    files: dict[str, Path] = {}
    for path in paths:
        name = unit or path.name.removesuffix(path.suffix)
        if name in files:
            raise UserError(f"{dump}: holds a {files[name].suffix} and a {path.suffix} of the same unit {name!r}; keep one")
        files[name] = path
    return files


def read_words(path: Path, expected: np.ndarray, words: Format, order: str = GOLDEN) -> np.ndarray:
    """A dump's words in the shape of the expected ones; UserError when the file cannot hold them. words: their format.

    order: of the words of a map in the file, one of word_order.ORDERS.
    """
    if expected.ndim == 4:
        got = from_order(_read(path, in_order(expected, order), words), order)
    else:
        got = _read(path, expected, words)
    if _zero_extended(got, expected, words):
        raise UserError(f"{path}: the low {words.bits} bits of every word are right, but those above are 0; sign-extend them")
    return got


def _zero_extended(got: np.ndarray, expected: np.ndarray, words: Format) -> bool:
    """Whether the words are the right ones, had their sign been repeated in the bits above."""
    if not words.signed or got.min() < 0 or int(got.max()) <= words.max or int(got.max()) >> words.bits:
        return False
    return np.array_equal(wrap(got.astype(np.int64), words.bits), expected)


def _read(path: Path, expected: np.ndarray, words: Format) -> np.ndarray:
    """A file's words, in its own order, in the shape of the expected ones."""
    shape = "x".join(map(str, expected.shape))
    if path.suffix == ".bin":
        data = read_bytes(path)
        if len(data) != expected.nbytes:
            raise UserError(f"{path}: has {len(data)} bytes; {shape} words of {expected.dtype} take {expected.nbytes}")
        return np.frombuffer(data, expected.dtype).reshape(expected.shape)
    if path.suffix == ".npy":
        array = read_npy(path)
        if array.dtype.kind not in "iu" or not np.can_cast(expected.dtype, array.dtype):
            raise UserError(f"{path}: holds {array.dtype}; write {expected.dtype} or a wider signed type")
        if array.size != expected.size:
            raise UserError(f"{path}: holds {array.size} words of the shape {array.shape}; {shape} are expected")
        return array.reshape(expected.shape)
    text = _text(path)
    values = list(_hex_words(path, text, words) if path.suffix == ".hex" else _decimal_words(path, text))
    if len(values) != expected.size:
        raise UserError(f"{path}: holds {len(values)} words; {expected.size} ({shape}) are expected")
    return np.array(values, np.int64).reshape(expected.shape)


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode("ascii")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is no ASCII text; a raw dump ends in .bin") from error


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Words between white space, with their line numbers."""
    for number, line in enumerate(text.split("\n"), start=1):
        for token in line.split():
            yield number, token


def _hex_words(path: Path, text: str, words: Format) -> Iterator[int]:
    plain = _COMMENT.sub(lambda comment: " " + "\n" * comment[0].count("\n"), text)
    count = 0
    for line, token in _tokens(plain):
        where = f"{path} line {line}: {token[:40]!r}"
        if token.startswith("@"):
            if not re.fullmatch("@[0-9a-fA-F]{1,16}", token) or int(token[1:], 16) != count:
                raise UserError(f"{where} is not the address of the next word ({count:x}); write all words in order")
            continue
        digits = token.replace("_", "")
        if re.fullmatch("(?!0[xX][0-9a-fA-F])[0-9a-fA-F]*[xXzZ?][0-9a-fA-FxXzZ?]*", digits):
            raise UserError(f"{where} is undefined (word {count}): the design never drove it")
        if not re.fullmatch("[0-9a-fA-F]+", digits) or len(digits) > MAX_DIGITS:
            raise UserError(f"{where} is no hexadecimal word; write digits alone, no 0x and no sign")
        yield _from_bits(int(digits, 16), 4 * len(digits), words, where)
        count += 1


def _from_bits(bits: int, width: int, words: Format, where: str) -> int:
    """The word that these bits stand for: of the format's width, or sign-extended to `width`."""
    low = bits & ((1 << words.bits) - 1)
    word = low - (1 << words.bits) if words.signed and low >> (words.bits - 1) else low
    if bits != low and bits != word % (1 << width):
        raise UserError(f"{where} has more than {words.bits} bits and is not the sign-extension of a word")
    return word


def _decimal_words(path: Path, text: str) -> Iterator[int]:
    for line, token in _tokens(text):
        if not re.fullmatch("[+-]?[0-9]{1,19}", token) or not -(1 << 63) <= int(token) < 1 << 63:
            real = re.fullmatch(r"[+-]?[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?", token) and not token.lstrip("+-").isdigit()
            hint = "a real value; write the word (the integer that stands for it)" if real else "no decimal word"
            raise UserError(f"{path} line {line}: {token[:40]!r} is {hint}")
        yield int(token)
