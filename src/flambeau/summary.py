"""What a model is made of: layers, shapes, parameters, multiply-adds, memory.

    print(summary(model, (1, 3, 224, 224)))

The model runs once on zeros, with hooks. As long as nothing looks at the values, nothing is computed: a large model
takes no longer than its Python code.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Sequence

from . import dtypes, no_grad, zeros
from . import nn
from .nn import Module
from .tensor.tensor import Tensor

__all__ = ["Layer", "Summary", "summary"]


@dataclass
class Layer:
    """One module: its path and kind, how it is nested, and what was seen when it ran.

    parameters counts its own, without those of modules inside it; multiply_adds is 0 for what does not multiply
    matrices, and for modules that only contain others. output_bytes: of its results, for modules that contain none.
    """

    path: str
    kind: str
    depth: int
    leaf: bool
    parameters: int
    trainable: int
    parameter_bytes: int
    output: list[tuple[int, ...]] = field(default_factory=list)
    calls: int = 0
    multiply_adds: int = 0
    output_bytes: int = 0


@dataclass
class Summary:
    """The layers of a model, and sums over them; `str` gives a table."""

    layers: list[Layer]
    input_bytes: int
    depth: int

    def _sum(self, name: str) -> int:
        return sum(getattr(layer, name) for layer in self.layers)

    @property
    def total_params(self) -> int:
        """Parameters, each counted once."""
        return self._sum("parameters")

    @property
    def trainable_params(self) -> int:
        return self._sum("trainable")

    @property
    def total_mult_adds(self) -> int:
        """Multiply-adds of the layers that multiply matrices, for this input."""
        return self._sum("multiply_adds")

    @property
    def total_param_bytes(self) -> int:
        return self._sum("parameter_bytes")

    @property
    def total_output_bytes(self) -> int:
        """What the layers' results take together, as while training."""
        return self._sum("output_bytes")

    def __str__(self) -> str:
        shown = [layer for layer in self.layers if layer.depth <= self.depth]
        names = ["  " * layer.depth + (f"{layer.path.rpartition('.')[2]}: " if layer.path else "") + layer.kind
                 for layer in shown]
        rows = [("Layer", "Output", "Parameters", "Multiply-adds")]
        for name, layer in zip(names, shown):
            inside = self._inside(layer) if layer.depth == self.depth else [layer]
            rows.append((name, " ".join(map(_shape, layer.output)) or "-",
                         _count(sum(part.parameters for part in inside)),
                         _count(sum(part.multiply_adds for part in inside))))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip()
                 for a, b, c, d in rows]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, *self._totals()])

    def _inside(self, layer: Layer) -> list[Layer]:
        """The layer and what is in it, which the table does not show."""
        prefix = layer.path + "." if layer.path else ""
        return [part for part in self.layers if part is layer or part.path.startswith(prefix)]

    def _totals(self) -> Iterator[str]:
        frozen = self.total_params - self.trainable_params
        yield f"Parameters: {self.total_params:,} ({self.trainable_params:,} trainable, {frozen:,} frozen)"
        if any(layer.calls for layer in self.layers):
            yield f"Multiply-adds: {self.total_mult_adds:,} ({2 * self.total_mult_adds / 1e9:.3f} GFLOPs)"
            total = self.input_bytes + self.total_param_bytes + self.total_output_bytes
            yield (f"Memory: {_megabytes(total)} (input {_megabytes(self.input_bytes)}, parameters "
                   f"{_megabytes(self.total_param_bytes)}, results of layers {_megabytes(self.total_output_bytes)})")
        else:
            yield f"Memory: parameters {_megabytes(self.total_param_bytes)}"


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _count(n: int) -> str:
    return f"{n:,}" if n else "-"


def _megabytes(n: int) -> str:
    return f"{n / 1e6:.2f} MB"


def summary(model: Module, input_size: Sequence[Any] | None = None, *, input_data: Any = None, depth: int = 3,
            dtype: Any = dtypes.float32) -> Summary:
    """The summary of a model, run in evaluation mode on one input.

    input_size: the shape of the input, or a list of shapes for several; they are zeros of `dtype`.
    input_data: the input itself instead, a tensor or a tuple of arguments. With neither, the model does not run.
    depth: how many levels of modules the table shows; sums count all.
    """
    if input_data is not None:
        inputs = input_data if isinstance(input_data, (tuple, list)) else (input_data,)
    elif input_size is not None:
        sizes = [input_size] if all(isinstance(n, int) for n in input_size) else input_size
        inputs = tuple(zeros(*size, dtype=dtype) for size in sizes)
    else:
        inputs = ()
    layers = dict(_layers(model))
    if inputs:
        _observe(model, layers, inputs)
    return Summary(list(layers.values()), sum(_nbytes(t) for t in _tensors(inputs)), depth)


def _layers(model: Module) -> Iterator[tuple[Module, Layer]]:
    """Each module once, in order; a shared parameter counts where it comes first."""
    seen: set[int] = set()
    for path, module in model.named_modules():
        own = [p for p in module._parameters.values() if p is not None and id(p) not in seen]
        seen.update(map(id, own))
        yield module, Layer(path, type(module).__name__, path.count(".") + bool(path), not module._modules,
                            sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad),
                            sum(_nbytes(p) for p in own))


def _observe(model: Module, layers: dict[Module, Layer], inputs: Sequence[Any]) -> None:
    """Runs the model, noting down what each module gives."""
    def hook(module: Module, args: tuple, output: Any) -> None:
        layer = layers[module]
        results = list(_tensors(output))
        layer.calls += 1
        layer.output = [tuple(t.shape) for t in results]
        layer.multiply_adds += multiply_adds(module, args, output)
        if layer.leaf:
            layer.output_bytes += sum(map(_nbytes, results))

    handles = [module.register_forward_hook(hook) for module in layers]
    modes = {module: module.training for module in layers}
    try:
        model.eval()
        with no_grad():
            model(*inputs)
    finally:
        for module, training in modes.items():
            module.training = training
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _nbytes(t: Tensor) -> int:
    return t.numel() * t.element_size()


# ------------------------------------------------------------------------------------------------- multiply-adds

def _convolution(module: Any, args: tuple, output: Any) -> int:
    return output.numel() * math.prod(module.kernel_size) * (module.in_channels // module.groups)


def _transposed(module: Any, args: tuple, output: Any) -> int:
    return args[0].numel() * math.prod(module.kernel_size) * (module.out_channels // module.groups)


def _linear(module: Any, args: tuple, output: Any) -> int:
    return output.numel() * module.in_features


def _attention(module: Any, args: tuple, output: Any) -> int:
    """Four projections, and twice the product of queries and keys."""
    query, key = args[0], args[1] if len(args) > 1 else args[0]
    length = -2 if module.batch_first or query.ndim == 2 else 0
    n, s, e = query.numel() // query.shape[-1], key.shape[length], query.shape[-1]
    keys = key.numel() // key.shape[-1]
    return 2 * n * e * e + 2 * keys * e * e + 2 * n * s * e


def _recurrent(module: Any, args: tuple, output: Any) -> int:
    """Every weight once for each step of each sequence."""
    x = getattr(args[0], "data", args[0])
    return x.numel() // x.shape[-1] * sum(p.numel() for p in module.parameters() if p.ndim == 2)


_RULES: list[tuple[tuple[type, ...], Callable[[Any, tuple, Any], int]]] = [
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    ((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _transposed),
    ((nn.Linear,), _linear),
    ((nn.MultiheadAttention,), _attention),
    ((nn.RNNBase, nn.RNNCellBase), _recurrent),
]


def multiply_adds(module: Module, args: tuple, output: Any) -> int:
    """The multiply-adds of one call of a layer; 0 for layers that do not multiply matrices."""
    return next((rule(module, args, output) for kinds, rule in _RULES if isinstance(module, kinds)), 0)
