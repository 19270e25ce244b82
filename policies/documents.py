"""YAML documents that people write: read with the line of every entry, checked entry by entry.

`load` reads one, bounded in size, in depth and in what aliases unfold to; the functions below it
check single entries. What is wrong is told by its place, as "assets[3].zone", and
`Document.at` finds the line of a place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "Document",
    "EntryError",
    "flag",
    "joined",
    "load",
    "mapping",
    "name",
    "one_of",
    "optional_name",
    "sequence",
    "shown",
]

MAX_BYTES = 16 << 20
MAX_ENTRIES = 1_000_000  # with every alias unfolded
MAX_DEPTH = 32
MAX_SCALAR = 4096  # characters
MAX_NUMBER = 100  # characters of a number or time
MAX_NAME = 200

# What PyYAML parses without catching errors.
_PARSED = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp"))

# libyaml's parser where PyYAML has it: ten times as fast, the same nodes.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class EntryError(ValueError):
    """An entry that cannot be used: its place, empty for the whole document, and the reason."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


@dataclass(frozen=True)
class Document:
    """What a file says (`data`: of mappings, lists and scalars), and where it says it."""

    path: str
    data: Any
    _root: yaml.Node | None = field(repr=False)

    def at(self, place: str) -> str:
        """ "FILE:LINE: PLACE"; of an entry that is missing, the line of what it is missing from."""
        line = _line(self._root, place)
        return f"{self.path}:{line}: {place}" if place else f"{self.path}:{line}"


def load(path: Path | str) -> Document:
    """Reads one YAML document of plain data.

    Raises EntryError, with file and line as its place, if the file cannot be read, is not YAML,
    names a key twice, or is larger than the bounds of this module.
    """
    loader, text = None, _read(path)
    try:
        _check_depth(text, str(path))
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _check(loader, root, str(path))
        data = None if root is None else loader.construct_document(root)
    except EntryError:
        raise
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise EntryError(str(path), f"not valid YAML: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{min(mark.line, text.count(chr(10))) + 1}" if mark else ""  # it may be past them
        problem = getattr(error, "problem", None) or str(error).replace("\n", " ")
        raise EntryError(f"{path}{line}", f"not valid YAML: {problem}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(str(path), data, root)


def _read(path: Path | str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EntryError(str(path), f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise EntryError(str(path), f"larger than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EntryError(f"{path}:{line}", "not valid YAML: not UTF-8") from error


def _check_depth(text: str, path: str) -> None:
    """Before nodes are made of it, which recurses: in C, without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH:
            raise EntryError(f"{path}:{_start(event)}", f"nested more than {MAX_DEPTH} deep")


def _check(loader: Any, root: yaml.Node, path: str) -> None:
    """Refuses keys named twice, scalars that are none, and what would unfold without bound."""
    open_nodes: list[tuple[yaml.Node, int]] = [(root, 1)]
    entries = 0
    while open_nodes:
        node, depth = open_nodes.pop()
        entries += 1
        where = f"{path}:{_start(node)}"
        if depth > MAX_DEPTH:
            raise EntryError(where, f"nested more than {MAX_DEPTH} deep")
        if entries > MAX_ENTRIES:
            raise EntryError(where, f"more than {MAX_ENTRIES} entries")
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(loader, node, where)
            continue
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
            open_nodes += ((key, depth + 1) for key, _ in node.value)
            open_nodes += ((value, depth + 1) for _, value in node.value)
        else:
            open_nodes += ((item, depth + 1) for item in node.value)


def _check_scalar(loader: Any, node: yaml.ScalarNode, where: str) -> None:
    if len(node.value) > MAX_SCALAR:
        raise EntryError(where, f"an entry of more than {MAX_SCALAR} characters")
    if node.tag not in _PARSED:
        return
    if len(node.value) > MAX_NUMBER:
        raise EntryError(where, f"a number or time of more than {MAX_NUMBER} characters")
    try:
        loader.construct_object(node)
    except (ValueError, LookupError, AttributeError) as error:  # as the 31st of February
        raise EntryError(where, f"not valid YAML: {node.value!r}: {error}") from error


def _check_keys(node: yaml.MappingNode, path: str) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue  # construction refuses it
        line = _start(key)
        if key.value in seen:
            raise EntryError(
                f"{path}:{line}",
                f"{shown(key.value)} is named twice, first on line {seen[key.value]}",
            )
        seen[key.value] = line


def _start(node: yaml.Node | yaml.Event) -> int:
    """The line, from 1."""
    mark = node.start_mark
    return 1 if mark is None else mark.line + 1


def _line(root: yaml.Node | None, place: str) -> int:
    """Of the innermost entry on the way to `place`, from 1."""
    node, line, rest = root, 1 if root is None else _start(root), place
    while rest:
        if isinstance(node, yaml.MappingNode):
            found = _named(node, rest)
        elif isinstance(node, yaml.SequenceNode):
            found = _numbered(node, rest)
        else:
            break
        if found is None:
            break
        line, node, rest = found
    return line


def _named(node: yaml.MappingNode, rest: str) -> tuple[int, yaml.Node, str] | None:
    rest = rest.removeprefix(".")
    for key, value in reversed(node.value):  # a key's own entry comes after the merged ones
        after = rest.removeprefix(str(key.value))
        if rest.startswith(str(key.value)) and (not after or after[0] in ".["):
            return _start(key), value, after
    return None


def _numbered(node: yaml.SequenceNode, rest: str) -> tuple[int, yaml.Node, str] | None:
    number, _, after = rest.removeprefix("[").partition("]")
    if not number.isdecimal() or int(number) >= len(node.value):
        return None
    item = node.value[int(number)]
    return _start(item), item, after


# ---------------------------------------------------------------- entries


def joined(place: str, key: object) -> str:
    """The place of a key below a place."""
    return f"{place}.{key}" if place else str(key)


def mapping(value: Any, place: str, known: Iterable[str] | None = None) -> Mapping[str, Any]:
    """A mapping with no keys but the `known` ones; any, where that is None."""
    if not isinstance(value, Mapping):
        raise EntryError(place, f"expected a mapping, got {_kind(value)}")
    if known is not None:
        for key in value:
            where = joined(place, key) if str(key).isprintable() else place
            one_of(key, list(known), where, "key")
    return value


def sequence(data: Mapping[str, Any], key: str, place: str = "") -> list[Any]:
    """The list under `key`; left out or null, an empty one."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise EntryError(joined(place, key), f"expected a list, got {_kind(value)}")
    return value


def one_of(value: Any, known: list[str], place: str, what: str) -> str:
    """One of the `known` names; the refusal suggests the closest."""
    if isinstance(value, str) and value in known:
        return value
    close = get_close_matches(str(value)[:MAX_NAME], known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    few = [*known[:20], "..."] if len(known) > 20 else known
    raise EntryError(place, f"unknown {what} {shown(value)}; {hint}known are {', '.join(few)}")


def name(value: Any, place: str) -> str:
    """A printable name of up to MAX_NAME characters."""
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise EntryError(place, f"expected a printable name of 1 to {MAX_NAME} characters")
    return value


def optional_name(data: Mapping[str, Any], key: str, place: str) -> str:
    """A name that may be left out, or be empty."""
    value = data.get(key)
    return "" if value is None or value == "" else name(value, joined(place, key))


def flag(value: Any, place: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise EntryError(place, f"expected true or false, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """For a message: printable, and no longer than 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    known = {"dict": "a mapping", "list": "a list", "str": "text"}
    return known.get(type(value).__name__, shown(value))
