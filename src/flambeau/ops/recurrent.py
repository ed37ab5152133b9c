"""Recurrent networks: whole layers as one recorded call per layer and direction."""
# ruff: noqa: F821
from __future__ import annotations

from typing import Any, Callable

import numpy as np

from .. import primitives as p
from ..ir.graph import Var
from ..tensor.op import op


HOISTED_ROWS = 16  # batches from here on are large enough for products of one step


def _layer(cell: Callable[..., Any], init: tuple[Var, ...], x: Var, w_ih: Var, bias: Var | None, shared: list[Var | None],
           reverse: bool, mask: Var | None) -> tuple[Var, ...]:
    """(output, last states) of the recurrence cell(states, W_ih x + bias, *shared) → new states, over x (T, N, in). The
    output is the first state of each step. mask (T, N, 1): where it is false a state stays as it is.

    Small batches have W_ih x computed for all steps at once; large ones in each step, where it is still in the cache when
    it is wanted, and where the code does not depend on the number of steps.
    """
    at_once = x.shape[1] < HOISTED_ROWS
    weights = [] if at_once else [v for v in (w_ih, bias) if v is not None]
    others = [v for v in shared if v is not None]

    def step(states: tuple[Var, ...], rows: tuple[Var, ...], given: tuple[Var, ...]) -> Any:
        here = iter(given[len(weights):])
        row = rows[0] if at_once else _gates(rows[0], given[0], given[1] if bias is not None else None)
        new = cell(states, row, *[None if v is None else next(here) for v in shared])
        return (new if mask is None else [p.select(rows[1], a, b) for a, b in zip(new, states)]), ()
    rows = [_gates(x, w_ih, bias) if at_once else x] + ([] if mask is None else [mask])
    histories, _ = p.scan(step, init, rows, [*weights, *others], reverse)
    length = x.shape[0]
    last = 0 if reverse else length
    output = p.slice_dim(histories[0], 0, int(not reverse), length + int(not reverse))
    return output, *[p.reshape(p.slice_dim(h, 0, last, last + 1), h.shape[1:]) for h in histories]


def _gates(x: Var, w: Var, b: Var | None) -> Var:
    out = p.dot(x, w, (x.ndim - 1,), (1,))
    return out if b is None else out + b


def _split(x: Var, n: int) -> list[Var]:
    size = x.shape[-1] // n
    return [p.slice_dim(x, x.ndim - 1, i * size, (i + 1) * size) for i in range(n)]


def _lstm_step(gates: Var, c: Var) -> tuple[Var, Var]:
    i, f, g, o = _split(gates, 4)
    c = p.sigmoid(f) * c + p.sigmoid(i) * p.tanh(g)
    return p.sigmoid(o) * p.tanh(c), c


@op("MkldnnRnnLayerBackward0")
def lstm_layer(input: Tensor, h: Tensor, c: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None,
               w_hr: Tensor | None, reverse, mask: Tensor | None = None):
    """One LSTM layer in one direction (Hochreiter & Schmidhuber 1997). input (T, N, in) → (output (T, N, out), h, c)."""
    def cell(states, x, w_hh, w_hr):
        h, c = states
        h, c = _lstm_step(x + _gates(h, w_hh, None), c)
        return (h if w_hr is None else p.dot(h, w_hr, (1,), (1,))), c
    return _layer(cell, (h, c), input, w_ih, None if b_ih is None else b_ih + b_hh, [w_hh, w_hr], reverse, mask)


def _gru_step(x: Var, hidden: Var, h: Var) -> Var:
    xr, xz, xn = _split(x, 3)
    hr, hz, hn = _split(hidden, 3)
    z = p.sigmoid(xz + hz)
    n = p.tanh(xn + p.sigmoid(xr + hr) * hn)
    return (h - n) * z + n


@op("StackBackward0")
def gru_layer(input: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None, reverse,
              mask: Tensor | None = None):
    """One GRU layer in one direction (Cho et al. 2014). input (T, N, in) → (output (T, N, hidden), h)."""
    def cell(states, x, w_hh, b_hh):
        return _gru_step(x, _gates(states[0], w_hh, b_hh), states[0]),
    return _layer(cell, (h,), input, w_ih, b_ih, [w_hh, b_hh], reverse, mask)


@op("StackBackward0")
def rnn_layer(input: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None, activation, reverse,
              mask: Tensor | None = None):
    """One Elman layer in one direction. input (T, N, in) → (output (T, N, hidden), h)."""
    fn = p.tanh if activation == "tanh" else p.relu

    def cell(states, x, w_hh):
        return fn(x + _gates(states[0], w_hh, None)),
    return _layer(cell, (h,), input, w_ih, None if b_ih is None else b_ih + b_hh, [w_hh], reverse, mask)


# ------------------------------------------------------------------ cells

def _check_cell(input: Var, states: tuple[Var, ...], w_ih: Var, w_hh: Var) -> None:
    """RuntimeErrors of a step whose operands do not fit: input (N, in), states (N, hidden)."""
    if input.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[1]} "
                           f"(input {list(input.shape)}, weight_ih {list(w_ih.shape)})")
    if input.dtype is not w_ih.dtype:
        raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {input.dtype.c_name} and {w_ih.dtype.c_name}")
    for i, h in enumerate(states):
        if h.shape[0] != input.shape[0]:
            raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {h.shape[0]}")
        if h.shape[-1] != w_hh.shape[1]:
            raise RuntimeError(f"hidden{i} has inconsistent hidden_size: got {h.shape[-1]}, expected {w_hh.shape[1]}")
        if h.dtype is not w_hh.dtype:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {h.dtype.c_name} and {w_hh.dtype.c_name}")


@op("ThnnFusedLstmCellBackward0")
def lstm_cell(input: Tensor, hx: Tensors, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None):
    """One LSTM step on (N, in): returns (h, c)."""
    h, c = hx
    _check_cell(input, (h, c), w_ih, w_hh)
    return _lstm_step(_gates(input, w_ih, b_ih) + _gates(h, w_hh, b_hh), c)


@op("ThnnFusedGruCellBackward0")
def gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None):
    """One GRU step on (N, in)."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return _gru_step(_gates(input, w_ih, b_ih), _gates(hx, w_hh, b_hh), hx)


@op("TanhBackward0")
def rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None):
    """One Elman step with tanh on (N, in)."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return p.tanh(_gates(input, w_ih, b_ih) + _gates(hx, w_hh, b_hh))


@op("ReluBackward0")
def rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None):
    """One Elman step with ReLU on (N, in)."""
    _check_cell(input, (hx,), w_ih, w_hh)
    return p.relu(_gates(input, w_ih, b_ih) + _gates(hx, w_hh, b_hh))


# ------------------------------------------------------------------ networks: layers, directions, packing

def _parameter_groups(params, has_biases: bool, per: int) -> list[tuple]:
    """(w_ih, w_hh, b_ih, b_hh, w_hr or None) for each layer and direction, from the flat list; `per` weights each."""
    groups = []
    params = list(params)
    for i in range(0, len(params), per):
        part = params[i:i + per]
        weights, rest = part[:2], part[2:]
        biases = rest[:2] if has_biases else [None, None]
        projection = rest[2 if has_biases else 0:]
        groups.append((*weights, *biases, projection[0] if projection else None))
    return groups


def _run_layer(kind: str, x, state: tuple, group: tuple, reverse: bool, mask=None) -> tuple[Any, tuple]:
    w_ih, w_hh, b_ih, b_hh, w_hr = group
    if kind == "lstm":
        out, h, c = lstm_layer(x, *state, w_ih, w_hh, b_ih, b_hh, w_hr, reverse, mask)
        return out, (h, c)
    if kind == "gru":
        out, h = gru_layer(x, *state, w_ih, w_hh, b_ih, b_hh, reverse, mask)
    else:
        out, h = rnn_layer(x, *state, w_ih, w_hh, b_ih, b_hh, kind, reverse, mask)
    return out, (h,)


class _Packing:
    """Where the rows of packed steps lie in a padded batch. places: of each row in the padded one, step by step; sources:
    of each padded position in the rows (0 where there is none); mask (T, N, 1): which positions are there; None: all."""

    def __init__(self, sizes: list[int], device: Any):
        import flambeau as torch
        there = np.arange(sizes[0]) < np.array(sizes)[:, None]
        self.shape = there.shape
        self.mask = None
        if not there.all():
            places = np.flatnonzero(there)
            sources = np.zeros(there.size, np.int64)
            sources[places] = np.arange(len(places))
            self.places, self.sources, self.mask = (torch.tensor(a, device=device) for a in (places, sources, there[:, :, None]))

    def pad(self, rows):
        """(T, N, …) from (rows, …)."""
        if self.mask is not None:
            rows = rows.index_select(0, self.sources)
        return rows.reshape(*self.shape, *rows.shape[1:])

    def pack(self, padded):
        """(rows, …) from (T, N, …)."""
        rows = padded.reshape(-1, *padded.shape[2:])
        return rows if self.mask is None else rows.index_select(0, self.places)


def _run_packed(kind: str, data, packing: _Packing, state: tuple, group: tuple, reverse: bool) -> tuple[Any, tuple]:
    """A layer over packed steps: padded, with states that stay where a sequence has ended or not yet begun."""
    out, last = _run_layer(kind, packing.pad(data), state, group, reverse, packing.mask)
    return packing.pack(out), last


def _network(kind, x, states: tuple, params, has_biases, num_layers, dropout, train, bidirectional, per, run):
    import flambeau as torch
    from ..nn.functional.dropout import dropout as drop
    directions = 2 if bidirectional else 1
    groups = _parameter_groups(params, has_biases, per)
    finals: list[list] = [[] for _ in states]
    for layer in range(num_layers):
        outs = []
        for d in range(directions):
            k = layer * directions + d
            out, last = run(x, tuple(s[k] for s in states), groups[k], d == 1)
            outs.append(out)
            for final, value in zip(finals, last):
                final.append(value)
        x = outs[0] if directions == 1 else torch.cat(outs, -1)
        if dropout and train and layer < num_layers - 1:
            x = drop(x, dropout, True)
    return x, tuple(torch.stack(f) for f in finals)


def _recurrent(kind: str, *args):
    """The two overloads of torch.lstm and its relatives: dense (…, batch_first) and packed (data, batch_sizes, …)."""
    if isinstance(args[3], (list, tuple)):
        data, sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
        states = tuple(hx) if kind == "lstm" else (hx,)
        per = _per(params, num_layers, bidirectional)
        packing = _Packing(sizes.tolist(), data.device)
        out, finals = _network(kind, data, states, params, has_biases, num_layers, dropout, train, bidirectional, per,
                               lambda x, s, g, r: _run_packed(kind, x, packing, s, g, r))
        return (out, *finals)
    x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
    states = tuple(hx) if kind == "lstm" else (hx,)
    per = _per(params, num_layers, bidirectional)
    if batch_first:
        x = x.transpose(0, 1)
    out, finals = _network(kind, x, states, params, has_biases, num_layers, dropout, train, bidirectional, per,
                           lambda x, s, g, r: _run_layer(kind, x, s, g, r))
    return (out.transpose(0, 1) if batch_first else out, *finals)


def _per(params, num_layers, bidirectional) -> int:
    """How many weights each layer and direction has."""
    return len(params) // (num_layers * (2 if bidirectional else 1))


def lstm(*args):
    """lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional, batch_first), or packed:
    lstm(data, batch_sizes, (h, c), params, has_biases, num_layers, dropout, train, bidirectional) → (output, h, c)."""
    return _recurrent("lstm", *args)


def gru(*args):
    """As `lstm` with one state: → (output, h)."""
    return _recurrent("gru", *args)


def rnn_tanh(*args):
    """As `lstm` with one state, Elman network with tanh: → (output, h)."""
    return _recurrent("tanh", *args)


def rnn_relu(*args):
    """As `lstm` with one state, Elman network with ReLU: → (output, h)."""
    return _recurrent("relu", *args)
