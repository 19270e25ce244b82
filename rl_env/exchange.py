"""A model as one ONNX graph, for programs that do not know this one: `countersign export`.

The graph computes what `policies.network` does, from one observation: which entities are looked at,
their attention to each other and the scores, for any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, ORDERED, PENDING, TOTAL, VERBS
from policies.evidence import SPEAKING
from policies.network import FORMAT, SILENT, LearnedPolicy, ModelError
from policies.policy import Verb

__all__ = ["export", "graph_of"]

_OPSET = 18
_IR = 9  # what onnxruntime reads since 1.16
_LOWEST = np.float32(-1e30)  # attention to those who are silent


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--onnx",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write.",
)
def export(folder: Path, out: Path) -> None:
    """Write a model as an ONNX graph, which scores as the model does.

    Its inputs are entities, float32 [n, columns], and context, float32 [columns], as the manifest
    names them; its output is scores, float32 [1 + 2 n]: "do nothing", orders, releases. Only the
    model folder itself can be registered.

    Example: countersign export policies/models/default --onnx default.onnx
    """
    try:
        made = graph_of(folder)
        onnx.save_model(made, out)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from error
    click.echo(f"wrote {out}: {len(made.graph.node)} nodes, {made.ByteSize()} bytes")


def graph_of(folder: Path) -> onnx.ModelProto:
    """The checked graph of a model folder; its metadata name the model, its hash and the version of
    the observation. Raises ModelError.
    """
    policy = LearnedPolicy.load(folder)
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    graph = _Graph(weights)
    graph.build()
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "countersign",
            [
                _value("entities", ["n", len(ENTITY_COLUMNS)]),
                _value("context", [len(CONTEXT_COLUMNS)]),
            ],
            [_value("scores", ["choices"])],
            graph.constants,
        ),
        producer_name="countersign",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
    )
    facts = {
        "name": policy.name,
        "hash": policy.hash.hex(),
        "format": FORMAT,
        "observation_version": str(policy.manifest["observation_version"]),
    }
    helper.set_model_props(made, facts)
    onnx.checker.check_model(made, full_check=True)
    return made


def _value(name: str, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Nodes in the order in which they are computed; each method returns its result's name.

    A row of zeros follows the entities, so that there is always one: it is silent, and its scores
    are cut off.
    """

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = weights

    def build(self) -> None:
        """As `policies.network.LearnedPolicy.scores`."""
        nobody = self._floats(np.zeros((1, len(ENTITY_COLUMNS))))
        entities = self._op("Concat", "entities", nobody, axis=0)
        speaks = self._speaking(entities)
        hidden = self._op(
            "Relu", self._joined("encoder.0", entities, "context", len(ENTITY_COLUMNS))
        )
        hidden = self._op("Relu", self._linear("encoder.1", hidden))
        whole = self._whole(hidden, speaks)
        size = len(self._weights["encoder.1.bias"])
        found = self._op("Relu", self._joined("chance.0", hidden, whole, size))
        logits = self._linear("chance.1", found)
        rows = self._op("Concat", entities, hidden, axis=1)
        found = self._joined("gains.0", rows, whole, len(ENTITY_COLUMNS) + size)
        outcomes = self._linear("gains.1", self._op("Relu", found))
        gains = self._gains(logits, outcomes, entities)
        silent = self._floats(SILENT)
        parts = [self._floats([0.0])]
        for verb in range(VERBS):
            scores = self._op("Where", speaks, gains[verb], silent)
            all_but_nobody = self._ints([0]), self._ints([-1]), self._ints([0])
            parts.append(self._op("Slice", scores, *all_but_nobody))
        self.nodes.append(helper.make_node("Concat", parts, ["scores"], axis=0))

    def _speaking(self, entities: str) -> str:
        """[rows], as `policies.network.speaking`."""
        zero = self._floats(0.0)
        kinds = self._columns(entities, KIND, KIND + len(Kind))
        there = self._op("ReduceSum", kinds, self._ints([1]), keepdims=0)
        loud = self._op("GreaterOrEqual", self._column(entities, TOTAL), self._floats(SPEAKING))
        ordered = self._op("Greater", self._column(entities, ORDERED), zero)
        pending = self._op("Greater", self._column(entities, PENDING), zero)
        any_of = self._op("Or", loud, self._op("Or", ordered, pending))
        return self._op("And", self._op("Greater", there, zero), any_of)

    def _whole(self, hidden: str, speaks: str) -> str:
        """What all that speak are together: the highest of each column, what each head looks at,
        and the context. Hidden columns are >= 0, so zero is the highest of none.
        """
        each = self._op("Unsqueeze", speaks, self._ints([1]))  # [rows, 1]
        mask = self._op("Cast", each, to=TensorProto.FLOAT)
        there = self._op("Mul", hidden, mask)
        highest = self._op("ReduceMax", there, self._ints([0]), keepdims=0)
        keys = self._op("Where", each, self._linear("attention", hidden), self._floats(_LOWEST))
        top = self._op("ReduceMax", keys, self._ints([0]), keepdims=1)
        raw = self._op("Mul", self._op("Exp", self._op("Sub", keys, top)), mask)
        # At least 1 where anybody speaks: the strongest adds as much.
        total = self._op("ReduceSum", raw, self._ints([0]), keepdims=1)
        share = self._op("Div", raw, self._op("Max", total, self._floats(1.0)))
        looked = self._op("MatMul", self._op("Transpose", share, perm=[1, 0]), there)
        flat = self._op("Reshape", looked, self._ints([-1]))
        return self._op("Concat", highest, flat, "context", axis=0)

    def _gains(self, logits: str, outcomes: str, entities: str) -> list[str]:
        """[rows] by verb, as `policies.network.expected`; outcomes are right and wrong by verb."""
        kinds = self._columns(entities, KIND, KIND + len(Kind))
        caution = self._op("MatMul", kinds, self._floats(self._weights["caution"]))
        gains = []
        for verb in Verb:
            chance = self._op("Sigmoid", self._column(logits, verb))
            right, wrong = (self._column(outcomes, 2 * verb + i) for i in range(2))
            if verb is Verb.ORDER:
                wrong = self._op("Mul", wrong, caution)
            other = self._op("Sub", self._floats(1.0), chance)
            parts = self._op("Mul", chance, right), self._op("Mul", other, wrong)
            gains.append(self._op("Add", *parts))
        return gains

    # ------------------------------------------------------------ layers

    def _linear(self, name: str, x: str) -> str:
        weight = self._floats(self._weights[f"{name}.weight"].T)
        bias = self._floats(self._weights[f"{name}.bias"])
        return self._op("Add", self._op("MatMul", x, weight), bias)

    def _joined(self, name: str, rows: str, whole: str, size: int) -> str:
        """The layer on each row, of this size, with `whole` appended, computed once."""
        weight = self._weights[f"{name}.weight"]
        once = self._op("MatMul", whole, self._floats(weight[:, size:].T))
        once = self._op("Add", once, self._floats(self._weights[f"{name}.bias"]))
        return self._op("Add", self._op("MatMul", rows, self._floats(weight[:, :size].T)), once)

    # ------------------------------------------------------------ pieces

    def _column(self, x: str, column: int) -> str:
        return self._op("Gather", x, self._ints(column), axis=1)

    def _columns(self, x: str, start: int, end: int) -> str:
        return self._op("Slice", x, *(self._ints([value]) for value in (start, end, 1)))

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _floats(self, value: Any) -> str:
        return self._constant(np.asarray(value, dtype=np.float32))

    def _ints(self, value: Any) -> str:
        return self._constant(np.asarray(value, dtype=np.int64))

    def _constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name
