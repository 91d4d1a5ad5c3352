"""all-MiniLM-L6-v2 as an ONNX graph, put together from its weights.

Built by hand because the exporters were found wrong on this model: the TorchScript one traces the
padding mask away without a word. No torch is needed here; whether the result is right is measured
in agreement.py.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

#: What goes in, each of shape (batch, length), int64; and what comes out, (batch, dimensions).
IDS, MASK, OUTPUT = "input_ids", "attention_mask", "sentence_embedding"
_OPSET, _IR_VERSION = 18, 9
#: Added to the attention logits of padding: its softmax is then 0 in float32.
_MASKED = -1e9
_SENSITIVE = ".output.dense.turned"


@dataclass
class _Graph:
    """Nodes and constants under construction; every method returns the name of a value."""

    weights: dict[str, np.ndarray]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node."""
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], output, **attributes))
        return output

    def constant(self, name: str, value: Any, kind: type = np.float32) -> str:
        """Keep an array; a name that is known already is not written twice."""
        if name not in self.constants:
            array: np.ndarray = np.ascontiguousarray(np.asarray(value, dtype=kind))
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """Return axes, a shape or bounds."""
        return self.constant("ints_" + "_".join(map(str, values)), values, np.int64)

    def weight(self, name: str) -> str:
        """Return one of the model's own arrays."""
        return self.constant(name, self.weights[name])

    def linear(self, x: str, layer: str) -> str:
        """Return x W' + b; the weight is turned here, once."""
        turned = self.constant(f"{layer}.turned", self.weights[f"{layer}.weight"].T)
        return self.op("Add", self.op("MatMul", x, turned), self.weight(f"{layer}.bias"))

    def norm(self, x: str, layer: str, epsilon: float) -> str:
        """Normalise the last axis, then scale and shift it."""
        scale, shift = self.weight(f"{layer}.weight"), self.weight(f"{layer}.bias")
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def gelu(self, x: str) -> str:
        """Return x (1 + erf(x / sqrt 2)) / 2: the exact one, not its tanh approximation."""
        erf = self.op("Erf", self.op("Div", x, self.constant("root_2", math.sqrt(2))))
        grown = self.op("Mul", x, self.op("Add", erf, self.constant("one", 1)))
        return self.op("Mul", grown, self.constant("half", 0.5))


def build(weights_dir: Path) -> onnx.ModelProto:
    """Return the model: token ids and mask in, mean-pooled vectors of unit length out.

    Args:
        weights_dir: with config.json and model.safetensors of a BERT encoder.

    Raises:
        onnx.checker.ValidationError: when the graph is not well formed.
    """
    config = json.loads((weights_dir / "config.json").read_text(encoding="utf-8"))
    graph = _Graph(load_file(weights_dir / "model.safetensors"))
    mask = graph.op("Cast", MASK, to=TensorProto.FLOAT)
    bias = _attention_bias(graph, mask)
    x = _embedded(graph, config)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        x = _attended(graph, x, bias, layer, config)
        x = _fed_forward(graph, x, layer, config)
    _pooled(graph, x, mask)
    model = _model(graph, config["hidden_size"])
    onnx.checker.check_model(model)
    return model


def sensitive(model: onnx.ModelProto) -> list[str]:
    """Return the nodes that stay float32 in the int8 model: each layer's second feed-forward step.

    What goes into them has a few very large values: one scale for all leaves little of the rest.
    """
    return [
        node.name
        for node in model.graph.node
        if any(name.endswith(_SENSITIVE) and "attention" not in name for name in node.input)
    ]


def _attention_bias(graph: _Graph, mask: str) -> str:
    """Return 0 for words and a very low number for padding, shape (batch, 1, 1, length)."""
    padding = graph.op(
        "Sub", graph.constant("one", 1), graph.op("Unsqueeze", mask, graph.ints(1, 2))
    )
    return graph.op("Mul", padding, graph.constant("masked", _MASKED))


def _embedded(graph: _Graph, config: dict[str, Any]) -> str:
    """Return word + position + type embeddings; every text is of type 0."""
    length = graph.op("Slice", graph.op("Shape", IDS), graph.ints(1), graph.ints(2))
    positions = graph.op(
        "Slice",
        graph.weight("embeddings.position_embeddings.weight"),
        graph.ints(0),
        length,
        graph.ints(0),
    )
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), IDS)
    types = graph.weights["embeddings.token_type_embeddings.weight"]
    typed = graph.op("Add", words, graph.constant("type_0", types[0]))
    return graph.norm(
        graph.op("Add", typed, positions), "embeddings.LayerNorm", config["layer_norm_eps"]
    )


def _attended(graph: _Graph, x: str, bias: str, layer: str, config: dict[str, Any]) -> str:
    """Return the layer's self-attention, added to x and normalised."""
    heads, size = config["num_attention_heads"], config["hidden_size"]

    def split(part: str, order: list[int]) -> str:
        projected = graph.linear(x, f"{layer}.attention.self.{part}")
        shape = graph.ints(0, 0, heads, size // heads)
        return graph.op("Transpose", graph.op("Reshape", projected, shape), perm=order)

    query, key = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1])
    scale = graph.constant("scale", 1 / math.sqrt(size // heads))
    logits = graph.op("Mul", graph.op("MatMul", query, key), scale)
    shares = graph.op("Softmax", graph.op("Add", logits, bias), axis=-1)
    mixed = graph.op("MatMul", shares, split("value", [0, 2, 1, 3]))
    together = graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
    flat = graph.op("Reshape", together, graph.ints(0, 0, size))
    out = graph.linear(flat, f"{layer}.attention.output.dense")
    name = f"{layer}.attention.output.LayerNorm"
    return graph.norm(graph.op("Add", out, x), name, config["layer_norm_eps"])


def _fed_forward(graph: _Graph, x: str, layer: str, config: dict[str, Any]) -> str:
    wide = graph.gelu(graph.linear(x, f"{layer}.intermediate.dense"))
    out = graph.linear(wide, f"{layer}.output.dense")
    return graph.norm(
        graph.op("Add", out, x), f"{layer}.output.LayerNorm", config["layer_norm_eps"]
    )


def _pooled(graph: _Graph, x: str, mask: str) -> None:
    """Write the mean over the words that are no padding, at unit length."""
    counted = graph.op("Unsqueeze", mask, graph.ints(-1))
    total = graph.op("ReduceSum", graph.op("Mul", x, counted), graph.ints(1), keepdims=0)
    n = graph.op("ReduceSum", counted, graph.ints(1), keepdims=0)
    mean = graph.op("Div", total, graph.op("Max", n, graph.constant("no_words", 1e-9)))
    length = graph.op("ReduceL2", mean, graph.ints(1), keepdims=1)
    floor = graph.constant("no_length", 1e-12)
    graph.op("Div", mean, graph.op("Max", length, floor), output=OUTPUT)


def _model(graph: _Graph, dimensions: int) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in (IDS, MASK)
    ]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dimensions])]
    made = helper.make_graph(
        graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, list(graph.constants.values())
    )
    opset = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=_IR_VERSION)
