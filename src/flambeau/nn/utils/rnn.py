"""Batches of sequences of different lengths: padded to one length, or packed without padding.

L is the greatest length, N the number of sequences, * what an element of a sequence is.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

import flambeau

from ...tensor.tensor import Tensor


class _PackedSequenceFields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_PackedSequenceFields):
    """Sequences, longest first, as recurrent layers read them: the first elements of all, then the second elements, …

    data (Σ lengths, *); batch_sizes (L,), how many sequences are at least so long, int64;
    sorted_indices (N,): which sequence came first, …, unsorted_indices (N,) its inverse; None if they were sorted
    already. Made by `pack_padded_sequence` and `pack_sequence`, not by hand.
    """

    def __new__(cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
                unsorted_indices: Tensor | None = None) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:  # the old form: a pair
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with `data.to(*args, **kwargs)`; self if that changes nothing."""
        return self._with(self.data.to(*args, **kwargs))

    def _with(self, data: Tensor) -> PackedSequence:
        """The same with these data; the order goes where they are, batch_sizes stay on the CPU."""
        if data is self.data:
            return self
        order = [None if t is None else t.to(data.device) for t in self[2:]]
        return type(self)(data, self.batch_sizes, *order)

    def cpu(self) -> PackedSequence:
        """The same on the CPU."""
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same on a GPU, where there is one."""
        return self._with(self.data.cuda(*args, **kwargs))

    def pin_memory(self) -> PackedSequence:
        """The same in page-locked memory."""
        return type(self)(self.data.pin_memory(), *self[1:])

    def double(self) -> PackedSequence:
        """The same as float64."""
        return self.to(dtype=flambeau.double)

    def float(self) -> PackedSequence:
        """The same as float32."""
        return self.to(dtype=flambeau.float)

    def half(self) -> PackedSequence:
        """The same as float16."""
        return self.to(dtype=flambeau.half)

    def long(self) -> PackedSequence:
        """The same as int64."""
        return self.to(dtype=flambeau.long)

    def int(self) -> PackedSequence:
        """The same as int32."""
        return self.to(dtype=flambeau.int)

    def short(self) -> PackedSequence:
        """The same as int16."""
        return self.to(dtype=flambeau.short)

    def char(self) -> PackedSequence:
        """The same as int8."""
        return self.to(dtype=flambeau.int8)

    def byte(self) -> PackedSequence:
        """The same as uint8."""
        return self.to(dtype=flambeau.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the data are in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another; None of None."""
    if permutation is None:
        return None
    return _beside(np.argsort(permutation.cpu().numpy(), kind="stable"), permutation)


def _beside(array: np.ndarray, t: Tensor) -> Tensor:
    """An array as a tensor on t's device."""
    return flambeau.from_numpy(array).to(t.device)


def _places(batch_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Step and sequence of every row of packed data."""
    steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    sequences = np.concatenate([np.arange(size) for size in batch_sizes]) if len(batch_sizes) else steps
    return steps, sequences


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """The sequences input[:lengths[i], i] packed.

    Shapes:  input (L, N, *), with batch_first (N, L, *); lengths (N,), a list or a tensor on the CPU.
    enforce_sorted: the lengths must be decreasing; False sorts, and remembers the order.
    Errors:  RuntimeError if lengths are on a device, do not fit, are not positive or not sorted.
    """
    if isinstance(lengths, Tensor) and lengths.device.type != "cpu":
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D {lengths.device} "
                           f"{lengths.dtype._legacy} tensor")
    sizes = flambeau.as_tensor(lengths, dtype=flambeau.int64, device="cpu").numpy()
    sorted_indices = None
    batch_dim = 0 if batch_first else 1
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
        sorted_indices = _beside(order, input)
        input = input.index_select(batch_dim, sorted_indices)
    _check_lengths(input, sizes, batch_first)
    batch_sizes = (sizes[None, :] > np.arange(sizes[0])[:, None]).sum(axis=1)
    steps, sequences = _places(batch_sizes)
    if batch_first:
        rows = sequences * input.shape[1] + steps
    else:
        rows = steps * input.shape[1] + sequences
    data = input.reshape(-1, *input.shape[2:]).index_select(0, _beside(rows, input))
    return PackedSequence(data, flambeau.from_numpy(batch_sizes), sorted_indices, None)


def _check_lengths(input: Tensor, sizes: np.ndarray, batch_first: bool) -> None:
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    batch = input.shape[0 if batch_first else 1]
    if sizes.ndim != 1 or len(sizes) != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
                           f"(batch_size={batch})")
    if sizes.min() <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is "
                           "<= 0")
    if (np.diff(sizes) > 0).any():
        raise RuntimeError("`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can "
                           "pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this "
                           "requirement if you do not need ONNX exportability.")
    longest = input.shape[1 if batch_first else 0]
    if sizes[0] > longest:
        raise RuntimeError(f"Expected lengths to be at most the length of the padded sequences, {longest}, but got "
                           f"{sizes[0]}")


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: padded sequences (L, N, *), with batch_first (N, L, *), and lengths (N,).

    total_length: the L wanted, at least the greatest length.
    """
    batch_sizes = sequence.batch_sizes.numpy()
    length, batch = len(batch_sizes), int(batch_sizes[0])
    if total_length is not None:
        if total_length < length:
            raise ValueError("Expected total_length to be at least the length of the longest sequence in input, but "
                             f"got total_length={total_length} and max sequence length being {length}")
        length = total_length
    steps, sequences = _places(batch_sizes)
    order = np.arange(batch) if sequence.unsorted_indices is None else sequence.sorted_indices.cpu().numpy()
    columns = order[sequences]  # where each packed row goes in the original order
    shape = (batch, length) if batch_first else (length, batch)
    rows = columns * length + steps if batch_first else steps * batch + columns
    data = sequence.data
    padded = data.new_full((length * batch, *data.shape[1:]), padding_value).index_copy(0, _beside(rows, data), data)
    lengths = np.empty(batch, np.int64)
    lengths[order] = np.bincount(sequences, minlength=batch)
    return padded.reshape(*shape, *data.shape[1:]), flambeau.from_numpy(lengths)


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:
    """Sequences (L_i, *) side by side, shorter ones filled up: (L, N, *), with batch_first (N, L, *).

    padding_side: "right" or "left".
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError("pad_sequence: Expected iterable for input sequences, but got arg of type: "
                           f"{type(sequences)}")
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    length = max(sequence.shape[0] for sequence in sequences)
    padded = []
    for sequence in sequences:
        missing = length - sequence.shape[0]
        if missing:
            filler = sequence.new_full((missing, *sequence.shape[1:]), padding_value)
            sequence = flambeau.cat([sequence, filler] if padding_side == "right" else [filler, sequence])
        padded.append(sequence)
    return flambeau.stack(padded, dim=0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The inverse of `pad_sequence`, for padding on the right: the first lengths[i] elements of each sequence."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [sequence[:length] for sequence, length in zip(padded_sequences, lengths.tolist())]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (L_i, *) packed; enforce_sorted as for `pack_padded_sequence`."""
    sequences = list(sequences)
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
