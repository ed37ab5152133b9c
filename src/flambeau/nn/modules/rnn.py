"""Recurrent layers and cells: RNN, LSTM, GRU."""
from __future__ import annotations

import math
import warnings
from numbers import Number
from typing import Any

import flambeau

from ...tensor.tensor import Tensor
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase", "apply_permutation"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """Deprecated: `tensor.index_select(dim, permutation)`."""
    warnings.warn("`apply_permutation` is deprecated, please use `tensor.index_select(dim, permutation)` instead",
                  FutureWarning, stacklevel=2)
    return tensor.index_select(dim, permutation)


class RNNBase(Module):
    """What the recurrent layers share: parameters, checks, and the way of batches, single sequences and packed ones.

    Parameters of layer k: weight_ih_lk (gates · hidden_size, inputs), weight_hh_lk (gates · hidden_size, outputs),
    bias_ih_lk and bias_hh_lk; with proj_size weight_hr_lk (proj_size, hidden_size); names of the reverse direction end
    in "_reverse". Initial: uniform on ±1/√hidden_size.
    """

    __constants__ = ["mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
                     "bidirectional", "proj_size"]

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_arguments(dropout)
        self._flat_weights_names: list[str] = []
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(2 if bidirectional else 1):
                shapes = self._shapes(layer, "_reverse" if direction else "")
                for name, shape in shapes.items():
                    setattr(self, name, Parameter(flambeau.empty(shape, device=device, dtype=dtype)))
                self._flat_weights_names.extend(shapes)
                self._all_weights.append(list(shapes))
        self.reset_parameters()

    def _check_arguments(self, dropout: Any) -> None:
        if not isinstance(dropout, Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element "
                             "being zeroed")
        if dropout > 0 and self.num_layers == 1:
            warnings.warn("dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                          f"num_layers greater than 1, but got dropout={dropout} and num_layers={self.num_layers}",
                          stacklevel=4)
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
            if kind is int and value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _shapes(self, layer: int, suffix: str) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the parameters of one direction of one layer."""
        gates = _GATES[self.mode] * self.hidden_size
        outputs = self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else outputs * (2 if self.bidirectional else 1)
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs), "weight_hh": (gates, outputs)}
        if self.bias:
            shapes.update(bias_ih=(gates,), bias_hh=(gates,))
        if self.proj_size:
            shapes.update(weight_hr=(self.proj_size, self.hidden_size))
        return {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}

    @property
    def _flat_weights(self) -> list[Tensor]:
        """All parameters, as the recurrence functions want them: read anew each time, so that replaced ones count."""
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Does nothing: for GPUs this puts the weights into one block of memory."""

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    # ------------------------------------------------------------------ checks

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise if the type or the sizes of `input` are not the layer's."""
        weight_dtype = getattr(self, self._flat_weights_names[0]).dtype
        if input.dtype != weight_dtype:
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight_dtype}). Convert "
                             f"input: input.to({weight_dtype}), or convert model: model.to({input.dtype})")
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                               f"{input.size(-1)}")

    def _state_size(self, input: Tensor, batch_sizes: Tensor | None, features: int) -> tuple[int, int, int]:
        batch = int(batch_sizes[0]) if batch_sizes is not None else input.size(0 if self.batch_first else 1)
        return self.num_layers * (2 if self.bidirectional else 1), batch, features

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape (layers · directions, N, outputs) of the hidden state for `input`."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(self, hx: Tensor, expected_hidden_size: tuple[int, int, int],
                          msg: str = "Expected hidden size {}, got {}") -> None:
        """Raise if a state does not have the shape expected."""
        if tuple(hx.size()) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if input and state do not fit the layer."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """The state with its sequences in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    # ------------------------------------------------------------------ forward

    def _zero_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        return input.new_zeros(self.get_expected_hidden_size(input, batch_sizes))

    def _batched_state(self, hx: Any, batched: bool) -> Any:
        """The state given for a batch, or that for a single sequence as one of a batch of one."""
        wanted, kind = (3, "batched") if batched else (2, "unbatched")
        if hx.dim() != wanted:
            raise RuntimeError(f"For {kind} {wanted}-D input, hx should also be {wanted}-D but got {hx.dim()}-D tensor")
        return hx if batched else hx.unsqueeze(1)

    def _single_state(self, hx: Any) -> Any:
        return hx.squeeze(1)

    def _run(self, recurrence: Any, input: Any, hx: Any) -> tuple[Any, Any]:
        """Output and last state of `recurrence` on a batch, a single sequence or a packed sequence."""
        if isinstance(input, PackedSequence):
            return self._run_packed(recurrence, input, hx)
        if input.dim() not in (2, 3):
            what = "RNN: Expected input to be 2D or 3D, got {}D tensor instead" if self.mode.startswith("RNN") else \
                self.mode + ": Expected input to be 2D or 3D, got {}D instead"
            raise ValueError(what.format(input.dim()))
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        hx = self._zero_state(input, None) if hx is None else self._batched_state(hx, batched)
        self.check_forward_args(input, hx, None)
        output, state = _split(recurrence(input, hx, self._flat_weights, self.bias, self.num_layers, self.dropout,
                                          self.training, self.bidirectional, self.batch_first))
        return (output, state) if batched else (output.squeeze(batch_dim), self._single_state(state))

    def _run_packed(self, recurrence: Any, packed: PackedSequence, hx: Any) -> tuple[Any, Any]:
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        hx = self._zero_state(data, batch_sizes) if hx is None else self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        output, state = _split(recurrence(data, batch_sizes, hx, self._flat_weights, self.bias, self.num_layers,
                                          self.dropout, self.training, self.bidirectional))
        return PackedSequence(output, batch_sizes, sorted_indices,
                              unsorted_indices), self.permute_hidden(state, unsorted_indices)

    # ------------------------------------------------------------------ text, pickling

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0),
                            ("bidirectional", False)):
            value = getattr(self, name)
            if value != usual:
                text += f", {name}={value}"
        return text

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        state["_flat_weights"] = self._flat_weights  # PyTorch expects them in its files
        return state

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.pop("_flat_weights", None)
        self.__dict__.setdefault("proj_size", 0)
        names = self.__dict__.get("all_weights") or self._all_weights
        self.__dict__.pop("all_weights", None)
        if not isinstance(names[0][0], str):  # files of PyTorch before 1.0 hold the tensors
            names = [list(self._shapes(layer, suffix)) for layer in range(self.num_layers)
                     for suffix in (("", "_reverse") if self.bidirectional else ("",))]
        self._all_weights = names
        self._flat_weights_names = [name for group in names for name in group]


def _split(results: tuple) -> tuple[Tensor, Any]:
    """(output, h) or (output, h, c) as output and state."""
    output, *state = results
    return output, state[0] if len(state) == 1 else tuple(state)


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh), or relu of it, in each of num_layers stacked layers.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
    bidirectional=False).
    Shapes:  input (L, N, input_size), with batch_first (N, L, input_size), without a batch (L, input_size), or a
             PackedSequence; state (layers · D, N, hidden_size), zeros if left out; D = 2 if bidirectional, else 1
             → output as input with D · hidden_size features, and the last state.
    dropout: between the layers, in training.  bidirectional: a second set of weights reads the sequence from its end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        return self._run(flambeau.rnn_tanh if self.mode == "RNN_TANH" else flambeau.rnn_relu, input, hx)


class LSTM(RNNBase):
    """Long short-term memory. Hochreiter & Schmidhuber 1997; with proj_size Sak et al. 2014, arXiv:1402.1128.

    i, f, o = sigmoid and g = tanh of W_ih x_t + b_ih + W_hh h_{t−1} + b_hh, whose rows are in the order i, f, g, o;
    c_t = f·c_{t−1} + i·g;  h_t = o·tanh(c_t), times weight_hr if proj_size is given.

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
    proj_size=0).
    Shapes:  as RNN's; the state is a pair of h (layers · D, N, proj_size or hidden_size) and c (layers · D, N,
             hidden_size).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        return self._run(flambeau.lstm, input, hx)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape (layers · directions, N, hidden_size) of the cell state for `input`."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: tuple[Tensor, Tensor], batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden[0], self.get_expected_hidden_size(input, batch_sizes),
                               "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], self.get_expected_cell_size(input, batch_sizes),
                               "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: tuple[Tensor, Tensor], permutation: Tensor | None) -> tuple[Tensor, Tensor]:
        return hx if permutation is None else (hx[0].index_select(1, permutation), hx[1].index_select(1, permutation))

    def _zero_state(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[Tensor, Tensor]:
        return super()._zero_state(input, batch_sizes), input.new_zeros(self.get_expected_cell_size(input, batch_sizes))

    def _batched_state(self, hx: tuple[Tensor, Tensor], batched: bool) -> tuple[Tensor, Tensor]:
        wanted, kind = (3, "batched") if batched else (2, "unbatched")
        if hx[0].dim() != wanted or hx[1].dim() != wanted:
            raise RuntimeError(f"For {kind} {wanted}-D input, hx and cx should also be {wanted}-D but got "
                               f"({hx[0].dim()}-D, {hx[1].dim()}-D) tensors")
        return hx if batched else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))

    def _single_state(self, hx: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return hx[0].squeeze(1), hx[1].squeeze(1)


class GRU(RNNBase):
    """Gated recurrent units. Cho et al. 2014, arXiv:1406.1078.

    r, z = sigmoid of W_ih x_t + b_ih + W_hh h_{t−1} + b_hh; n = tanh(W_in x_t + b_in + r·(W_hn h_{t−1} + b_hn)), rows
    in the order
    r, z, n;  h_t = (1 − z)·n + z·h_{t−1}.

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False). Shapes:
    as RNN's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        return self._run(flambeau.gru, input, hx)


class RNNCellBase(Module):
    """What the cells, one step of a recurrent layer each, share. Parameters as a layer's, without "_l0". Initial: the
    same."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        for name, shape in (("weight_ih", (gates, input_size)), ("weight_hh", (gates, hidden_size)), ("bias_ih", gates),
                            ("bias_hh", gates)):
            wanted = bias or name.startswith("weight")
            values = flambeau.empty(shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, Parameter(values) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _check_dims(self, what: str, tensor: Tensor) -> None:
        if tensor.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead")

    def _step(self, cell: Any, input: Tensor, hx: Tensor | None) -> Tensor:
        """The next state; of a single example if the input is one."""
        self._check_dims("input", input)
        if hx is not None:
            self._check_dims("hidden", hx)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
            hx = None if hx is None else hx.unsqueeze(0)
        if hx is None:
            hx = input.new_zeros(input.size(0), self.hidden_size)
        state = cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return state if batched else state.squeeze(0)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """One step of an RNN. Shapes: input (N, input_size), state (N, hidden_size) → (N, hidden_size); all without N,
    too."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(flambeau.rnn_tanh_cell if self.nonlinearity == "tanh" else flambeau.rnn_relu_cell, input, hx)


class LSTMCell(RNNCellBase):
    """One step of an LSTM. Shapes: input (N, input_size), state a pair of (N, hidden_size) → such a pair; all without
    N, too."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        self._check_dims("input", input)
        for i, state in enumerate(hx or ()):
            self._check_dims(f"hx[{i}]", state)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
            hx = None if hx is None else (hx[0].unsqueeze(0), hx[1].unsqueeze(0))
        if hx is None:
            zeros = input.new_zeros(input.size(0), self.hidden_size)
            hx = zeros, zeros
        h, c = flambeau.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a GRU. Shapes: input (N, input_size), state (N, hidden_size) → (N, hidden_size); all without N,
    too."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(flambeau.gru_cell, input, hx)
