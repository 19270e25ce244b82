"""Small faults, one at a time, put into the contracts' sources: what scripts/mutate.py tries out.

Faults are made from solc's syntax trees, so each one is a change of meaning at a known place. What
only a test blind to another fault of the same place could miss is left out: a boundary moved one
way stands for both, `a && b` without either half for `a || b`, `if (false)` for its body removed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

__all__ = ["Mutant", "entrances", "mutants", "selectors_in"]

Node = dict[str, Any]
Change = tuple[int, int, str]  # from byte, to byte, what comes in between

SWAPS = {
    "<": ("<=",),
    "<=": ("<",),
    ">": (">=",),
    ">=": (">",),
    "==": ("!=",),
    "!=": ("==",),
    "&": ("|",),
    "|": ("&",),
    "^": ("&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "++": ("--",),
    "--": ("++",),
    "|=": ("=",),
    "&=": ("=",),
    "^=": ("=",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
}
EQUALITIES = ("==", "!=")
YUL_SWAPS = {
    "add": "sub",
    "sub": "add",
    "mul": "add",
    "div": "mul",
    "mod": "div",
    "and": "or",
    "or": "and",
    "xor": "or",
    "shl": "shr",
    "shr": "shl",
    "lt": "gt",
    "gt": "lt",
    "eq": "lt",
    "iszero": "not",
    "not": "iszero",
    "sload": "tload",
}


@dataclass(frozen=True)
class Mutant:
    """One source file with one fault."""

    path: str
    place: str  # Contract.function
    line: int  # from 1
    before: str  # the source lines it changes, white space collapsed
    after: str
    source: str = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Survives a move of the code; names two mutants only where a function repeats itself."""
        return f"{self.place}: {self.before} => {self.after}"


def mutants(path: str, source: str, tree: Node) -> Iterator[Mutant]:
    """All mutants of one file, in the order of the source. `tree` is solc's for this source."""
    text = source.encode()
    constants, members = _neighbours(tree)
    make = _Changes(text, constants, members)
    for name, part in _parts(tree, path.rpartition("/")[2].removesuffix(".sol")):
        for node in _walk(part):
            for change in make.of(node):
                yield _mutant(path, text, name, change)


def entrances(trees: list[Node]) -> dict[str, set[bytes] | None]:
    """By name of a function, modifier or variable: selectors of the functions that may come there.

    None where every transaction does. Goes by names alone, and so finds rather too many.
    """
    uses: defaultdict[str, set[str]] = defaultdict(set)
    selectors: defaultdict[str, set[bytes]] = defaultdict(set)
    for tree in trees:
        for place, part in _parts(tree, ""):
            name = place.partition(".")[2]
            uses[name] |= {n.get("memberName") or n.get("name") or "" for n in _walk(part)} - {name}
            selectors[name] |= _selector(part)
    found: dict[str, set[bytes] | None] = {name: set() for name in uses}
    for name in uses:
        always = name in ("constructor", "fallback", "receive")
        for reached in _closure(name, uses):
            if reached in found:
                sofar = found[reached]
                found[reached] = None if always or sofar is None else sofar | selectors[name]
    return found


def selectors_in(tree: Node) -> set[bytes]:
    """Those of the functions of one file."""
    return {selector for _, part in _parts(tree, "") for selector in _selector(part)}


def _selector(part: Node) -> set[bytes]:
    return {bytes.fromhex(part["functionSelector"])} if "functionSelector" in part else set()


def _closure(name: str, uses: dict[str, set[str]]) -> set[str]:
    found, left = {name}, [name]
    while left:
        for used in uses.get(left.pop(), set()) - found:
            found.add(used)
            left.append(used)
    return found


def _parts(tree: Node, stem: str) -> Iterator[tuple[str, Node]]:
    """What can be changed in a file, with its name: Contract.function, or File.function."""
    for node in tree["nodes"]:
        if node["nodeType"] == "FunctionDefinition":
            yield f"{stem}.{node['name']}", node
        elif node["nodeType"] == "ContractDefinition" and node["contractKind"] != "interface":
            for part in node["nodes"]:
                name = part.get("name") or part.get("kind") or part["nodeType"]
                yield f"{node['name']}.{name}", part


def _mutant(path: str, text: bytes, place: str, change: Change) -> Mutant:
    start, end, replacement = change
    made = text[:start] + replacement.encode() + text[end:]
    first, last = text.rfind(b"\n", 0, start) + 1, text.find(b"\n", end)
    before = text[first:last].decode()
    after = made[first : last + len(made) - len(text)].decode()
    line = text.count(b"\n", 0, start) + 1
    return Mutant(path, place, line, _collapse(before), _collapse(after), made.decode())


def _collapse(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _walk(node: Any) -> Iterator[Node]:
    """The nodes of a tree, parents first."""
    if isinstance(node, list):
        for item in node:
            yield from _walk(item)
    elif isinstance(node, dict):
        if "nodeType" in node:
            yield node
        for key, value in node.items():
            if key not in ("typeDescriptions", "documentation", "overrides", "typeName"):
                yield from _walk(value)


def _neighbours(tree: Node) -> tuple[dict[int, str], dict[int, str]]:
    """By AST id: the next constant, struct field or enum value of the same type beside it."""
    constants: dict[int, str] = {}
    members: dict[int, str] = {}
    for node in _walk(tree):
        if node["nodeType"] == "ContractDefinition":
            found = [n for n in node["nodes"] if n["nodeType"] == "VariableDeclaration"]
            constants |= _next_of_type([n for n in found if n.get("constant")])
        elif node["nodeType"] in ("StructDefinition", "EnumDefinition"):
            members |= _next_of_type(node["members"])
    return constants, members


def _next_of_type(nodes: list[Node]) -> dict[int, str]:
    by_type: dict[str, list[Node]] = {}
    for node in nodes:
        kind = node.get("typeDescriptions", {}).get("typeIdentifier", "enum")
        by_type.setdefault(kind, []).append(node)
    return {
        node["id"]: group[(position + 1) % len(group)]["name"]
        for group in by_type.values()
        if len(group) > 1
        for position, node in enumerate(group)
    }


class _Changes:
    """What can be changed at a node."""

    def __init__(self, text: bytes, constants: dict[int, str], members: dict[int, str]) -> None:
        self._text, self._constants, self._members = text, constants, members
        self._by_type: dict[str, Callable[[Node], Iterator[Change]]] = {
            "Assignment": self._assignment,
            "BinaryOperation": self._binary,
            "Conditional": self._conditional,
            "EmitStatement": self._removed,
            "ExpressionStatement": self._removed,
            "FunctionCall": self._call,
            "Identifier": self._identifier,
            "IfStatement": self._if,
            "Literal": self._literal,
            "MemberAccess": self._member,
            "ModifierInvocation": self._modifier,
            "Return": self._return,
            "UnaryOperation": self._unary,
            "YulFunctionCall": self._yul_call,
            "YulLiteral": self._yul_literal,
        }

    def of(self, node: Node) -> Iterator[Change]:
        change = self._by_type.get(node["nodeType"])
        if change is not None:
            yield from change(node)

    def _span(self, node: Node) -> tuple[int, int]:
        start, length, _ = (int(part) for part in node["src"].split(":"))
        return start, start + length

    def _source(self, node: Node) -> str:
        start, end = self._span(node)
        return self._text[start:end].decode()

    def _replaced(self, node: Node, replacement: str) -> Change:
        return (*self._span(node), replacement)

    def _between(self, left: Node, right: Node, operator: str) -> Iterator[Change]:
        start, end = self._span(left)[1], self._span(right)[0]
        at = self._text.index(operator.encode(), start, end)
        for other in SWAPS.get(operator, ()):
            yield at, at + len(operator), other

    def _binary(self, node: Node) -> Iterator[Change]:
        left, right = node["leftExpression"], node["rightExpression"]
        yield from self._between(left, right, node["operator"])
        if node["operator"] in ("&&", "||"):
            yield self._replaced(node, self._source(left))
            yield self._replaced(node, self._source(right))

    def _assignment(self, node: Node) -> Iterator[Change]:
        yield from self._between(node["leftHandSide"], node["rightHandSide"], node["operator"])

    def _unary(self, node: Node) -> Iterator[Change]:
        start, end = self._span(node)
        operator = node["operator"]
        at = start if node["prefix"] else end - len(operator)
        if operator in ("!", "~"):
            yield at, at + 1, ""
        for other in SWAPS.get(operator, ()):
            yield at, at + len(operator), other

    def _if(self, node: Node) -> Iterator[Change]:
        condition = node["condition"]
        yield self._replaced(condition, "false")
        if condition.get("operator") not in EQUALITIES:  # whose opposites are among the swaps
            yield self._replaced(condition, f"!({self._source(condition)})")

    def _conditional(self, node: Node) -> Iterator[Change]:
        yield self._replaced(node["condition"], "true")
        yield self._replaced(node["condition"], "false")

    def _removed(self, node: Node) -> Iterator[Change]:
        start, end = self._span(node)
        rest = self._text[end:]
        semicolon = len(rest) - len(rest.lstrip())
        end += semicolon + 1 if rest.lstrip().startswith(b";") else 0
        yield start, end, "{}"

    def _call(self, node: Node) -> Iterator[Change]:
        arguments = node["arguments"]
        for one, other in pairwise(arguments):
            same_type = _type(one) == _type(other)
            if same_type and self._source(one) != self._source(other):
                start, end = self._span(one)[0], self._span(other)[1]
                gap = self._text[self._span(one)[1] : self._span(other)[0]].decode()
                yield start, end, self._source(other) + gap + self._source(one)

    def _identifier(self, node: Node) -> Iterator[Change]:
        other = self._constants.get(node.get("referencedDeclaration") or 0)
        if other is not None:
            yield self._replaced(node, other)

    def _member(self, node: Node) -> Iterator[Change]:
        if self._source(node) == "msg.sender":
            yield self._replaced(node, "tx.origin")
        other = self._members.get(node.get("referencedDeclaration") or 0)
        if other is not None:
            end = self._span(node)[1]
            yield end - len(node["memberName"]), end, other

    def _literal(self, node: Node) -> Iterator[Change]:
        if node["kind"] == "bool":
            yield self._replaced(node, "false" if node["value"] == "true" else "true")
        elif node["kind"] == "string":
            yield self._replaced(node, f'"{node["value"]}x"')
        elif node["kind"] == "number" and node.get("subdenomination") is None:
            yield self._replaced(node, str(int(node["value"], 0) + 1))

    def _modifier(self, node: Node) -> Iterator[Change]:
        if node.get("kind") == "modifierInvocation":
            yield self._replaced(node, "")

    def _return(self, node: Node) -> Iterator[Change]:
        value = node.get("expression")
        if value and _type(value) == "t_bool" and value["nodeType"] != "Literal":
            yield self._replaced(value, "true")
            yield self._replaced(value, "false")

    def _yul_call(self, node: Node) -> Iterator[Change]:
        other = YUL_SWAPS.get(node["functionName"]["name"])
        if other is not None:
            yield self._replaced(node["functionName"], other)

    def _yul_literal(self, node: Node) -> Iterator[Change]:
        if node.get("kind") == "number":
            yield self._replaced(node, str(int(node["value"], 0) + 1))


def _type(node: Node) -> str:
    return str(node["typeDescriptions"].get("typeIdentifier"))
