"""`ONNXProgram`: the finished model, as the `onnx` package's protobufs."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from ..serialization._atomic import atomic_write
from ..tensor.tensor import Tensor
from ..version import flambeau as version
from ._dynamic import Joiner
from ._emit import OnnxExporterError, element_type
from ._record import Arguments, Sample

LARGEST_PROTOBUF = 1 << 31  # bytes; a file of one message ends there


def import_onnx() -> Any:
    """The `onnx` package, or an error that says how to get it."""
    try:
        import onnx
    except ImportError:
        raise ModuleNotFoundError("torch.onnx writes files with the onnx package: pip install flambeau[onnx]",
                                  name="onnx") from None
    return onnx


class Writer:
    """Collects nodes and initializers. names: what inputs and outputs are called; arrays: the parameters by name."""

    def __init__(self, arrays: dict[str, tuple[np.ndarray, int]], reserved: Sequence[str]):
        self.onnx = import_onnx()
        self.nodes: list[Any] = []
        self.arrays = arrays
        self.initializers: dict[str, Any] = {}
        self._constants: dict[tuple, str] = {}
        self._reserved = set(reserved)

    def node(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, Any]) -> None:
        """Adds a node. Inputs that are left out at the end are dropped."""
        inputs = list(inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        for name in inputs:
            if name in self.arrays and name not in self.initializers:
                self._add(name, *self.arrays[name])
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, outputs, name=f"node_{outputs[0]}",
                                                     **attributes))

    def constant(self, array: np.ndarray, element: int) -> str:
        """The name of an initializer; equal ones are one."""
        key = (element, array.shape, array.tobytes())
        if key not in self._constants:
            n = len(self._constants)
            name = f"constant.{n}"
            while name in self._reserved:
                name += "_"
            self._constants[key] = name
            self._add(name, array, element)
        return self._constants[key]

    def _add(self, name: str, array: np.ndarray, element: int) -> None:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self.initializers[name] = self.onnx.TensorProto(name=name, data_type=element, dims=array.shape,
                                                        raw_data=little.tobytes())


def build(samples: Sequence[Sample], symbols: dict[str, tuple[int, ...]], arguments: Arguments,
          arrays: dict[str, tuple[np.ndarray, int]], opset: int, export_params: bool,
          parameters_as_inputs: bool) -> Any:
    """The ModelProto of recorded samples."""
    output_names = samples[0].output_names
    writer = Writer(arrays, [*arguments.names, *output_names, *arrays])
    joiner = Joiner(samples, writer.node, writer.constant)
    joiner.run([*arrays, *arguments.names])
    make = writer.onnx.helper
    outputs = []
    for i, (name, type) in enumerate(zip(output_names, samples[0].output_types)):
        writer.node("Identity", [joiner.result(i)], [name], {})
        dims = zip(*[s.output_types[i].shape for s in samples])
        outputs.append(_value_info(make, name, type, [_dim(v, symbols, f"{name}_dim_{d}") for d, v in enumerate(dims)]))
    _drop_identities(writer, output_names, {*arguments.names, *arrays})
    inputs = [_value_info(make, name, samples[0].types[name], [_dim(v, symbols, None) for v in joiner.shapes(name)])
              for name in arguments.names]
    parameters = [name for name in arrays if name in writer.initializers]
    if parameters_as_inputs or not export_params:
        inputs += [_value_info(make, name, samples[0].types[name], list(samples[0].types[name].shape))
                   for name in parameters]
    used = {name for node in writer.nodes for name in node.input}
    kept = [t for name, t in writer.initializers.items() if name in used and (export_params or name not in arrays)]
    graph = make.make_graph(writer.nodes, "main_graph", inputs, outputs, initializer=kept)
    imports = [make.make_opsetid("", opset)]
    model = make.make_model(graph, opset_imports=imports, producer_name="flambeau", producer_version=version)
    model.ir_version = make.find_min_ir_version_for(imports)
    return model


def _dim(vector: tuple[int, ...], symbols: dict[str, tuple[int, ...]], otherwise: str | None) -> Any:
    """A size: a number, the name of a dynamic axis, or another name."""
    if len(set(vector)) == 1 and not any(v == vector for v in symbols.values()):
        return vector[0]
    return next((name for name, v in symbols.items() if v == vector), otherwise)


def _value_info(make: Any, name: str, type: Any, dims: list) -> Any:
    return make.make_tensor_value_info(name, element_type(type.dtype), dims)


def _drop_identities(writer: Writer, outputs: Sequence[str], given: set[str]) -> None:
    """Lets nodes write the model's outputs themselves. What has been renamed once is an output, and keeps that name."""
    for node in [n for n in writer.nodes if n.op_type == "Identity" and n.output[0] in outputs]:
        source = node.input[0]
        if source in given or source in writer.initializers or source in outputs:
            continue
        writer.nodes.remove(node)
        for other in writer.nodes:
            for field in (other.input, other.output):
                for i, name in enumerate(field):
                    if name == source:
                        field[i] = node.output[0]


class ONNXProgram:
    """An exported model. model_proto: the onnx.ModelProto."""

    def __init__(self, model_proto: Any, arguments: Arguments):
        self.model_proto = model_proto
        self._arguments = arguments
        self._session: Any = None

    def __repr__(self) -> str:
        return f"ONNXProgram(\n{import_onnx().printer.to_text(self.model_proto.graph)}\n)"

    def __call__(self, *args: Any, **kwargs: Any) -> list[Tensor]:
        """Runs the model in ONNX Runtime on arguments like those that it was exported with; returns its outputs."""
        from .. import from_numpy
        from ..utils._pytree import tree_flatten
        if self._session is None:
            self.initialize_inference_session()
        leaves = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        fed = {given.name: x.detach().numpy()  # type: ignore[attr-defined]
               for given, x in zip(self._session.get_inputs(), leaves)}
        return [from_numpy(x) for x in self._session.run(None, fed)]

    def initialize_inference_session(self) -> None:
        """Makes the ONNX Runtime session that calls use."""
        import onnxruntime
        stream = self.model_proto.SerializeToString()
        self._session = onnxruntime.InferenceSession(stream, providers=["CPUExecutionProvider"])

    def release(self) -> None:
        """Lets go of the session."""
        self._session = None

    def save(self, destination: Any, *, external_data: bool | None = None) -> None:
        """Writes the model. external_data: the weights go to a file beside it, `destination` + ".data"; by default only
        where the model is too large for one file (2 GB). Both files appear whole or not at all."""
        if hasattr(destination, "write"):
            if external_data:
                raise OnnxExporterError("weights in a file of their own need a path, not a stream")
            destination.write(self.model_proto.SerializeToString())
            return
        path = Path(os.fspath(destination))
        if external_data is None:
            external_data = self.model_proto.ByteSize() >= LARGEST_PROTOBUF
        model = _with_external_data(self.model_proto, path) if external_data else self.model_proto
        with atomic_write(path) as file:
            file.write(model.SerializeToString())


def _with_external_data(model: Any, path: Path, threshold: int = 1024) -> Any:
    """Writes the larger initializers to a file beside `path`; a copy of the model that refers to it."""
    onnx = import_onnx()
    thin = onnx.ModelProto()
    thin.CopyFrom(model)
    location = path.name + ".data"
    with atomic_write(path.with_name(location)) as file:
        at = 0
        for t in thin.graph.initializer:
            if len(t.raw_data) < threshold:
                continue
            padding = -at % 4096  # pages, so that the file can be mapped
            file.write(b"\0" * padding)
            at += padding
            file.write(t.raw_data)
            t.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", at), ("length", len(t.raw_data))):
                t.external_data.add(key=key, value=str(value))
            at += len(t.raw_data)
            t.ClearField("raw_data")
    return thin
