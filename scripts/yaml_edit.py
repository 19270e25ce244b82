"""Changes single values of a YAML text and leaves the rest, comments too, as it is.

Whatever is done is proven by reading the result again: it is the old document with just that
change, or Permanent is raised and the file is a person's to edit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from responder.errors import Permanent

__all__ = ["add_item", "remove_item", "set_value"]

Path = Sequence[str]


def set_value(text: str, path: Path, value: Any) -> str:
    """Sets what is at `path`, a key of each mapping in turn; the last may be new."""

    def change(document: Any) -> None:
        _inner(document, path[:-1])[path[-1]] = value

    node = _node(text, path[:-1])
    if not isinstance(node, yaml.MappingNode):
        raise Permanent(f"{_dotted(path[:-1])} is no mapping")
    known = {key.value: there for key, there in node.value}
    if path[-1] in known:
        start, end = known[path[-1]].start_mark.index, known[path[-1]].end_mark.index
        return _proven(text, path, change, text[:start] + _render(value) + _gap(text, start, end))
    return _proven(text, path, change, _insert(text, node, f"{path[-1]}: {_render(value)}"))


def add_item(text: str, path: Path, item: Any) -> str:
    """Adds to the end of the list at `path`."""
    node = _list(text, path)
    prefix = "" if node.flow_style else "- "
    new = _insert(text, node, prefix + _render(item))
    return _proven(text, path, lambda document: _inner(document, path).append(item), new)


def remove_item(text: str, path: Path, index: int) -> str:
    """Removes one of the list at `path`."""
    node = _list(text, path)
    items, item = node.value, node.value[index]
    if node.flow_style:
        start, end = item.start_mark.index, item.end_mark.index
        if index + 1 < len(items):
            end = items[index + 1].start_mark.index
        elif index:
            start = items[index - 1].end_mark.index
    else:
        start = text.rfind("\n", 0, item.start_mark.index) + 1
        end = _line_end(text, item.end_mark.index) + 1
    new = text[:start] + text[end:]
    return _proven(text, path, lambda document: _inner(document, path).pop(index), new)


# ---------------------------------------------------------------- parts


def _insert(text: str, node: yaml.CollectionNode, entry: str) -> str:
    """Another entry at the end of a list or mapping."""
    if node.flow_style:
        end = node.end_mark.index - 1
        return text[:end] + (", " if node.value else "") + entry + text[end:]
    last = node.value[-1]
    end = _line_end(text, (last[1] if isinstance(last, tuple) else last).end_mark.index)
    return text[:end] + "\n" + " " * node.start_mark.column + entry + text[end:]


def _gap(text: str, start: int, end: int) -> str:
    """What follows a value: a block's end is where the next thing begins, comments passed over."""
    value = text[start:end]
    return value[len(value.rstrip()) :] + text[end:]


def _line_end(text: str, index: int) -> int:
    """Of the line that the last thing before `index` is on."""
    found = text.find("\n", len(text[:index].rstrip()))
    return len(text) if found < 0 else found


def _node(text: str, path: Path) -> Any:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for depth, key in enumerate(path):
        inner = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((there for name, there in inner if name.value == key), None)
        if node is None:
            raise Permanent(f"the file has no {_dotted(path[: depth + 1])}")
    return node


def _list(text: str, path: Path) -> yaml.SequenceNode:
    node = _node(text, path)
    if not isinstance(node, yaml.SequenceNode):
        raise Permanent(f"{_dotted(path)} is no list")
    return node


def _inner(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _proven(text: str, path: Path, change: Callable[[Any], object], new: str) -> str:
    wanted = copy.deepcopy(yaml.safe_load(text))
    change(wanted)
    try:
        if yaml.safe_load(new) == wanted:
            return new
    except yaml.YAMLError:
        pass
    raise Permanent(f"{_dotted(path)} is written in a way that only a person can change")


def _render(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _dotted(path: Path) -> str:
    return ".".join(path) or "the file"
