"""Configuration: dataclasses with a sentence a field; the command line is built from them.

A field is declared with `option(default, sentence)`. Nested dataclasses are topics of their own; their fields appear on the
command line under their own names, and in config.json under the topic.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import types
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from a3cs_hw.files import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
LARGEST = 1 << 53  # of a whole number without a bound of its own: a JSON reader may have floats alone


def option(
    default: Any, sentence: str, choices: tuple[str, ...] | None = None, least: float | None = None, most: float | None = None
) -> Any:
    """A configuration field: its default, one sentence about it, and the values it may take: these few, or from least to most."""
    most = LARGEST if most is None and isinstance(default, int) and not isinstance(default, bool) else most
    return dataclasses.field(default=default, metadata={"help": sentence, "choices": choices, "least": least, "most": most})


def topic(kind: type) -> Any:
    """A field that is a configuration of its own."""
    return dataclasses.field(default_factory=kind)


def leaves(kind: type, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], dataclasses.Field, type]]:
    """Every plain field of a configuration, nested ones included: (path of names, field, type)."""
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        path = (*prefix, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            found += leaves(hints[field.name], path)
        else:
            found.append((path, field, hints[field.name]))
    return found


def add_arguments(parser: argparse.ArgumentParser, kind: type) -> None:
    """A --option for every field of a configuration, its sentence and default as help."""
    for path, field, hint in leaves(kind):
        arguments: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": ".".join(path), "choices": field.metadata["choices"]}
        if hint is bool:
            arguments |= {"action": argparse.BooleanOptionalAction}
            del arguments["choices"]
        else:
            arguments |= {"type": _plain(hint), "metavar": None if arguments["choices"] else path[-1].upper()}
        help_text = f"{field.metadata['help']} (default: {field.default})".replace("%", "%%")
        parser.add_argument(f"--{path[-1].replace('_', '-')}", help=help_text, **arguments)


def from_arguments(kind: type[Config], arguments: argparse.Namespace, base: Config | None = None) -> Config:
    """The configuration that a parsed command line asks for, on top of `base` (default: the defaults).

    UserError on a number out of bounds.
    """
    config = kind() if base is None else base
    for path, field, _ in leaves(kind):
        name = ".".join(path)
        if hasattr(arguments, name):
            value = getattr(arguments, name)
            if complaint := _complaint(value, field):
                raise UserError(f"--{path[-1].replace('_', '-')} {value} {complaint}")
            config = replaced(config, path, value)
    return config


def replaced(config: Any, path: Sequence[str], value: Any) -> Any:
    """The configuration with another value in one field, named by its path (see `leaves`)."""
    if len(path) > 1:
        value = replaced(getattr(config, path[0]), path[1:], value)
    return dataclasses.replace(config, **{path[0]: value})


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain values, for config.json."""
    return dataclasses.asdict(config)


def from_dict(kind: type[Config], values: dict[str, Any], where: str) -> Config:
    """The configuration that was written by to_dict; UserError on an unknown field or a value that it cannot have."""
    hints, fields = typing.get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}
    arguments = {}
    for name, value in values.items():
        if name not in hints:
            raise UserError(f"{where}: unknown field {name!r}; this release knows {', '.join(hints)}")
        if dataclasses.is_dataclass(hints[name]):
            if not isinstance(value, dict):
                raise UserError(f"{where}: field {name!r} is {value!r}, not an object with fields of its own")
            value = from_dict(hints[name], value, where)
        elif not _fits(value, hints[name]):
            kinds = " or ".join(kind.__name__ for kind in _kinds(hints[name]))
            raise UserError(f"{where}: field {name!r} is {value!r}, not a {kinds}")
        elif fields[name].metadata["choices"] and value not in fields[name].metadata["choices"]:
            raise UserError(f"{where}: field {name!r} is {value!r}; use one of {', '.join(fields[name].metadata['choices'])}")
        elif complaint := _complaint(value, fields[name]):
            raise UserError(f"{where}: field {name!r}: {value!r} {complaint}")
        arguments[name] = value
    try:
        return kind(**arguments)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def difference(before: Any, now: Any) -> str:
    """Which field two configurations of one kind differ in first: "seed is 0 there, 1 here"; empty if in none."""
    for path, _, _ in leaves(type(before)):
        ours, theirs = now, before
        for name in path:
            ours, theirs = getattr(ours, name), getattr(theirs, name)
        if ours != theirs:
            return f"{path[-1]} is {theirs!r} there, {ours!r} here"
    return ""


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value out of a JSON document may stand in a field of this type (an int is a float, a bool is no int)."""
    kinds = _kinds(hint)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)


def _complaint(value: Any, field: dataclasses.Field) -> str:
    """What is wrong with a number in a field, and what to do; empty if nothing is, or if it is no number."""
    if not isinstance(value, int | float):
        return ""
    least, most = field.metadata["least"], field.metadata["most"]
    if not abs(value) < math.inf:
        return "is not finite; use a number"
    if least is not None and value < least:
        return f"is too small; use {least} or more"
    if most is not None and value > most:
        return f"is too large; use {most} or less"
    return ""


def _kinds(hint: Any) -> tuple[type, ...]:
    """The types of a union; one type alone is a union of one."""
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _plain(hint: Any) -> type:
    """The type in which the command line gives a value: the first of a union, as in `T | None`."""
    return _kinds(hint)[0]
