"""torch.onnx: models as ONNX files.

`export` records a forward pass (`_record`), says it in ONNX's operators (`_operators` for what has one of its own,
`_primitives` for everything else), finds out which numbers follow from the sizes of dynamic axes (`_dynamic`) and
writes the file (`_write`). It needs the `onnx` package, which is imported when it is used: pip install flambeau[onnx].
"""
from __future__ import annotations

import enum
import inspect
import warnings
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from ..export.dynamic_shapes import _Size
from ..nn import Module
from ..recording import named_storages
from ..tensor.tensor import Tensor
from ..utils._pytree import tree_flatten
from ._dynamic import SAMPLES, UNITS, sample_sizes
from ._emit import OnnxExporterError, element_type
from ._record import Arguments, Sample, record_sample
from ._write import LARGEST_PROTOBUF, ONNXProgram, build, import_onnx

__all__ = ["ONNXProgram", "OnnxExporterError", "OperatorExportTypes", "TrainingMode", "export", "is_in_onnx_export"]

DEFAULT_OPSET = 20
OLDEST_OPSET = 13


class TrainingMode(enum.Enum):
    """The mode in which a model is exported: evaluation, as it is, or training."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


class OperatorExportTypes(enum.Enum):
    """Which operators a file may use: only ONNX is written here."""

    ONNX = 0
    ONNX_ATEN = 1
    ONNX_ATEN_FALLBACK = 2
    ONNX_FALLTHROUGH = 3


_exporting = False


def is_in_onnx_export() -> bool:
    """Whether a model is being recorded for export."""
    return _exporting


def export(model: Any, args: Any = (), f: Any = None, *, kwargs: dict[str, Any] | None = None,
           verbose: bool | None = None, input_names: Sequence[str] | None = None,
           output_names: Sequence[str] | None = None, opset_version: int | None = None, dynamo: bool = True,
           external_data: bool = True, dynamic_shapes: Any = None, custom_translation_table: Any = None,
           report: bool = False, optimize: bool = True, verify: bool = False, profile: bool = False,
           dump_exported_program: bool = False, artifacts_dir: Any = ".", export_params: bool = True,
           keep_initializers_as_inputs: bool = False, dynamic_axes: Mapping[str, Any] | None = None,
           training: TrainingMode = TrainingMode.EVAL,
           operator_export_type: OperatorExportTypes = OperatorExportTypes.ONNX,
           do_constant_folding: bool = True, custom_opsets: Any = None, export_modules_as_functions: Any = False,
           autograd_inlining: bool = True) -> ONNXProgram | None:
    """Records model(*args, **kwargs) and writes it to f as an ONNX model.

    args, kwargs:  example arguments; tensors in them become the model's inputs, everything else is fixed. A tensor
                   alone is one argument, and a dict at the end of a tuple is kwargs.
    f:             a path or a binary stream; None writes nothing.
    input_names, output_names:  by default the names of forward's parameters, and "output", "output_1", … or a dict's
                   keys.
    opset_version: 13 to the newest that the onnx package knows; 20 by default.
    dynamic_axes:  {input: {axis: name} or [axes]}; dynamic_shapes: the same by forward's parameters, as a dict or in
                   their order, {axis: name or torch.export.Dim}. Axes of one name have one size.
    export_params: whether the weights are in the file, under their names in state_dict; keep_initializers_as_inputs:
                   whether they are inputs as well.
    external_data: with dynamo=True and a path, weights go to the file f + ".data"; with dynamo=False only those that
                   do not fit into one file.
    training:      the mode to export in; the model's own is restored.
    verify:        runs the file in ONNX Runtime and compares the results with the model's.
    verbose:       prints the graph. optimize, do_constant_folding, artifacts_dir and autograd_inlining change nothing
                   here: the graph has no operation that its results do not need.

    Returns an `ONNXProgram` with dynamo=True, else None.
    Errors: OnnxExporterError for what has no ONNX operator, for models that look at values while they run, and for axes
    that cannot be dynamic; ValueError for arguments that do not fit.
    """
    _refuse(custom_translation_table=custom_translation_table, custom_opsets=custom_opsets, report=report,
            profile=profile, dump_exported_program=dump_exported_program,
            export_modules_as_functions=export_modules_as_functions)
    if operator_export_type is not OperatorExportTypes.ONNX:
        raise ValueError(f"{operator_export_type} is not supported: files hold ONNX operators only")
    opset = _check_opset(opset_version)
    if not isinstance(model, Module):
        model = _FunctionModule(model)
    arguments = _arguments(model, args, kwargs, input_names)
    output_names = list(output_names or ())
    axes = _dynamic_axes(arguments, dynamic_axes, output_names) if dynamic_shapes is None else _dynamic_shapes(
        model, arguments, dynamic_shapes)
    with _mode(model, training):
        arrays = {name: (s.value.array(), element_type(s.value.type.dtype))
                  for name, s in named_storages(model).items()}
        proto = _first_that_works(model, arguments, axes, opset, output_names, lambda samples, sizes: build(
            samples, sizes, arguments, arrays, opset, export_params, keep_initializers_as_inputs))
        program = ONNXProgram(proto, arguments)
        if proto.ByteSize() < LARGEST_PROTOBUF:
            import_onnx().checker.check_model(proto)
        if verify:
            _verify(model, arguments, program)
    if verbose:
        print(import_onnx().printer.to_text(proto.graph))
    if f is not None:
        program.save(f, external_data=True if dynamo and external_data and not hasattr(f, "write") else None)
    return program if dynamo else None


def _refuse(**options: Any) -> None:
    for name, value in options.items():
        if value:
            raise ValueError(f"torch.onnx.export here has no {name}")


def _check_opset(version: int | None) -> int:
    newest = import_onnx().defs.onnx_opset_version()
    opset = DEFAULT_OPSET if version is None else version
    if not OLDEST_OPSET <= opset <= newest:
        raise ValueError(f"opset_version {opset} is not between {OLDEST_OPSET} and {newest}")
    return opset


class _FunctionModule(Module):
    """A function as a module without parameters."""

    def __init__(self, function: Any):
        super().__init__()
        self.function = function
        self.signature = inspect.signature(function)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


# ------------------------------------------------------------------ arguments, names and axes

def _signature(model: Module) -> inspect.Signature:
    return model.signature if isinstance(model, _FunctionModule) else inspect.signature(model.forward)


def _arguments(model: Module, args: Any, kwargs: dict[str, Any] | None, input_names: Sequence[str] | None) -> Arguments:
    if isinstance(args, list):
        args = tuple(args)
    if not isinstance(args, tuple):
        args = (args,)
    if kwargs is None and args and isinstance(args[-1], dict):
        args, kwargs = args[:-1], args[-1]
    leaves, spec = tree_flatten((args, kwargs or {}))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    names = [name for name, x in zip(_leaf_names(model, args, kwargs or {}), leaves) if isinstance(x, Tensor)]
    given = list(input_names or ())
    if len(given) > len(names):
        raise ValueError(f"{len(given)} input names were given, but the model has {len(names)} inputs")
    names[:len(given)] = given
    if len(set(names)) < len(names):
        raise ValueError(f"input names are not unique: {names}")
    return Arguments(leaves, spec, places, names)


def _leaf_names(model: Module, args: tuple, kwargs: dict[str, Any]) -> list[str]:
    """A name for each leaf: that of forward's parameter, numbered if it has several."""
    parameters = list(_signature(model).parameters.values())
    positional: list[str] = []
    for i in range(len(args)):
        p = parameters[min(i, len(parameters) - 1)] if parameters else None
        positional.append("input" if p is None else f"{p.name}_{i}" if p.kind is p.VAR_POSITIONAL else p.name)
    names = []
    for name, value in [*zip(positional, args), *kwargs.items()]:
        leaves = tree_flatten(value)[0]
        names += [name] if len(leaves) == 1 else [f"{name}_{i}" for i in range(len(leaves))]
    return names


Axes = dict[str, dict[int, str]]


def _dynamic_axes(arguments: Arguments, dynamic_axes: Mapping[str, Any] | None, output_names: Sequence[str]) -> Axes:
    found: Axes = {}
    for name, axes in (dynamic_axes or {}).items():
        if name not in arguments.names:
            if name not in output_names:
                warnings.warn(f"Provided key {name} for dynamic axes is not a valid input/output name", stacklevel=3)
        else:
            rank = len(arguments.types()[arguments.names.index(name)].shape)
            named = axes if isinstance(axes, Mapping) else {
                axis: f"{name}_dynamic_axes_{i + 1}" for i, axis in enumerate(axes)}
            found[name] = {int(axis) % rank: str(symbol) for axis, symbol in named.items()}
    return found


def _dynamic_shapes(model: Module, arguments: Arguments, shapes: Any) -> Axes:
    """From one entry per argument, in the order of forward's parameters or by name; nested as the arguments are."""
    if isinstance(shapes, Mapping):
        order = [name for name in _signature(model).parameters if name in shapes]
        if len(order) < len(shapes):
            raise ValueError(f"dynamic_shapes names {sorted(set(shapes) - set(order))}, which forward does not take")
        shapes = [shapes[name] for name in order]
    entries = tree_flatten(list(shapes), is_leaf=_is_axes)[0]
    if len(entries) != len(arguments.names):
        raise ValueError(f"dynamic_shapes has {len(entries)} entries for {len(arguments.names)} inputs")
    found: Axes = {}
    for name, entry in zip(arguments.names, entries):
        axes = dict(enumerate(entry)) if isinstance(entry, (tuple, list)) else entry or {}
        found[name] = {axis: _symbol(name, axis, dim) for axis, dim in axes.items()
                       if dim is not None and not isinstance(dim, int) and not getattr(dim, "is_static", False)}
    return found


def _is_axes(entry: Any) -> bool:
    if isinstance(entry, Mapping):
        return all(isinstance(axis, int) for axis in entry)
    return entry is None or isinstance(entry, tuple) and all(
        dim is None or isinstance(dim, (int, str, _Size)) or hasattr(dim, "__name__") for dim in entry)


def _symbol(name: str, axis: int, dim: Any) -> str:
    return dim if isinstance(dim, str) else getattr(dim, "__name__", f"{name}_dim_{axis}")


# ------------------------------------------------------------------ recording

def _first_that_works(model: Module, arguments: Arguments, axes: Axes, opset: int, output_names: Sequence[str],
                      build: Callable[[list[Sample], dict[str, tuple[int, ...]]], Any]) -> Any:
    """build(samples, sizes) for the model recorded at the example's sizes or, with dynamic axes, at the first choice of
    several sizes that the model takes and that tell where its numbers come from."""
    shapes = [t.shape for t in arguments.types()]
    symbols: dict[str, int] = {}
    for name, shape in zip(arguments.names, shapes):
        for axis, symbol in axes.get(name, {}).items():
            symbols.setdefault(symbol, shape[axis])

    def record(sizes: dict[str, tuple[int, ...]], number: int) -> Sample:
        asked = [tuple(sizes[axes[name][d]][number] if d in axes.get(name, {}) else n for d, n in enumerate(shape))
                 for name, shape in zip(arguments.names, shapes)]
        return record_sample(model, arguments, asked, opset, output_names)
    if not symbols:
        return build([record({}, 0)], {})
    failures = []
    for unit in UNITS:
        for together in (False, True)[:len(set(symbols.values())) < len(symbols) and 2 or 1]:
            sizes = sample_sizes(symbols, unit, together)
            try:
                made = build([record(sizes, i) for i in range(SAMPLES)], sizes)
            except Exception as error:  # the model may not take these sizes, or do something else at each of them
                failures.append(error)
                continue
            if unit == UNITS[-1]:
                warnings.warn(f"this graph holds for sizes of {sorted(symbols)} that are multiples of {unit} away from "
                              f"the example's: at others the model does something else, or nothing ({failures[0]})",
                              stacklevel=4)
            return made
    raise OnnxExporterError(f"the axes {sorted(symbols)} cannot be dynamic: {failures[0]}") from failures[0]


@contextmanager
def _mode(model: Module, training: TrainingMode) -> Iterator[None]:
    """The model in the mode to export in."""
    global _exporting
    modes = {module: module.training for module in model.modules()}
    if training is not TrainingMode.PRESERVE:
        model.train(training is TrainingMode.TRAINING)
    _exporting = True
    try:
        yield
    finally:
        _exporting = False
        for module, mode in modes.items():
            module.training = mode


def _verify(model: Module, arguments: Arguments, program: ONNXProgram) -> None:
    """Compares ONNX Runtime's results with the model's on the example."""
    from .. import no_grad
    from ..utils._pytree import tree_leaves
    args, kwargs = arguments.filled([arguments.leaves[i] for i in arguments.places])
    with no_grad():
        wanted = [t for t in tree_leaves(model(*args, **kwargs)) if isinstance(t, Tensor)]
    for name, a, b in zip([o.name for o in program.model_proto.graph.output], wanted, program(*args, **kwargs)):
        a, b = a.detach().numpy(), b.numpy()  # type: ignore[attr-defined]
        scale = max(float(np.abs(a.astype(np.float64)).max(initial=0)), 1e-30)
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-3, atol=1e-4 * scale, equal_nan=True):
            raise OnnxExporterError(f"ONNX Runtime's '{name}' differs from the model's by {np.abs(a - b).max()}")

