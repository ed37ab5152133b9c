"""The bridge from graph nodes to the contraction family: `dot`, `conv` and its gradients as access tables.

Operands may be any strided view of a buffer: `Load` says which buffer, where it begins, and its stride per dimension.
"""
from __future__ import annotations

from typing import Callable

from ..ir.graph import Node, Var
from ..ir.types import contiguous_strides
from .expression import Load
from .kernel import Kernel
from .llvm.emit import F32, F64
from .loops.contraction import Axis, Contraction, conv_forward, conv_input_grad, conv_shape, conv_weight_grad
from .loops.contraction_kernel import write_contraction
from .loops.schedule import make_schedule
from .lowered import ADDED_DOT

ELEMENT = {"float32": F32, "float64": F64}


class ContractionKernel:
    """One contraction of a node: the table, and where its operands and its output begin (in elements). adds: results are added to what
    the output's memory holds."""

    def __init__(self, contraction: Contraction, a: Load, b: Load, out: Var, offsets: tuple[int, int, int] = (0, 0, 0), adds: bool = False):
        self.contraction, self.a, self.b, self.out, self.offsets, self.adds = contraction, a, b, out, offsets, adds

    @property
    def work(self) -> int:
        return self.contraction.multiplications

    @property
    def reads(self) -> set[Var]:
        return {self.a.var, self.b.var}

    def emit(self, k: Kernel) -> int:
        """Writes the kernel; returns its number of chunks."""
        e = k.e
        k.prepare([self.a.var, self.b.var, self.out])
        schedule = make_schedule(self.contraction, e.target.isa)
        k.scratch = schedule.scratch_bytes()
        element = ELEMENT[self.out.dtype.name]
        a = e.at(k.pointer(self.a.var), self.a.offset.constant + self.offsets[0], element)
        b = e.at(k.pointer(self.b.var), self.b.offset.constant + self.offsets[1], element)
        out = e.at(k.pointer(self.out), self.offsets[2], element)
        write_contraction(e, schedule, a, b, out, e.args[1], e.args[2], self.adds)
        k.finish()
        return schedule.n_chunks


def _dot(node: Node, a: Load, b: Load) -> list[ContractionKernel]:
    x, y = node.inputs
    out = node.outputs[0]
    ca, cb, ba, bb = node.params
    sa, sb, so = a.offset.coefficients, b.offset.coefficients, contiguous_strides(out.shape)
    outer = [Axis(x.shape[i], so[n], sa[i], sb[j]) for n, (i, j) in enumerate(zip(ba, bb))]
    free_a = [i for i in range(x.ndim) if i not in ca and i not in ba]
    free_b = [i for i in range(y.ndim) if i not in cb and i not in bb]
    outer += [Axis(x.shape[i], so[len(ba) + n], sa[i], 0) for n, i in enumerate(free_a)]
    outer += [Axis(y.shape[j], so[len(ba) + len(free_a) + n], 0, sb[j]) for n, j in enumerate(free_b)]
    reduced = [Axis(x.shape[i], None, sa[i], sb[j]) for i, j in zip(ca, cb)]
    name = out.dtype.name
    return [ContractionKernel(Contraction(tuple(outer), tuple(reduced), (name,) * 3, name), a, b, out, adds=node.prim is ADDED_DOT)]


def _conv(node: Node, x: Load, w: Load) -> list[ContractionKernel]:
    stride, _, _, dilation, groups = node.params
    out = node.outputs[0]
    shape = conv_shape(out.shape, node.inputs[0].shape[1], node.inputs[1].shape[2:], stride, dilation, groups)
    table = conv_forward(shape, x.offset.coefficients, w.offset.coefficients, contiguous_strides(out.shape), out.dtype.name)
    return [ContractionKernel(table, x, w, out)]


def _conv_weight_grad(node: Node, x: Load, g: Load) -> list[ContractionKernel]:
    kernel, stride, _, _, dilation, groups = node.params
    out = node.outputs[0]
    shape = conv_shape(node.inputs[1].shape, node.inputs[0].shape[1], kernel, stride, dilation, groups)
    table = conv_weight_grad(shape, x.offset.coefficients, g.offset.coefficients, contiguous_strides(out.shape), out.dtype.name)
    return [ContractionKernel(table, g, x, out)]


def _bordered_input_grad(node: Node, g: Load, w: Load) -> list[ContractionKernel]:
    size, stride, low, dilation, groups, border, g_shape = node.params
    out = node.outputs[0]
    shape = conv_shape(g_shape, out.shape[1], node.inputs[1].shape[2:], stride, dilation, groups)
    strides = g.offset.coefficients
    first = sum(b * s for b, s in zip(border, strides[2:]))  # the first element that is not border
    phases = conv_input_grad(shape, low, size, strides, w.offset.coefficients, contiguous_strides(out.shape), border, out.dtype.name)
    return [ContractionKernel(ph.contraction, g, w, out, (ph.y_offset + first, ph.w_offset, ph.x_offset)) for ph in phases]


CONTRACTIONS: dict[str, Callable[[Node, Load, Load], list[ContractionKernel]]] = {
    "dot": _dot, "added_dot": _dot, "conv": _conv, "conv_weight_grad": _conv_weight_grad, "bordered_input_grad": _bordered_input_grad,
}


def leaves_gaps(node: Node, kernels: list[ContractionKernel]) -> bool:
    """Whether the kernels do not write every element of the result (positions that no window touches)."""
    written = 0
    for kernel in kernels:
        n = 1
        for x in kernel.contraction.outer:
            n *= x.size
        written += n
    return written < node.outputs[0].size
