"""`Generator`: PyTorch's CPU random stream (MT19937), and the functions on the default one.

The generator's state is a value in the trace like any other: a draw is a recorded call from the state to (bits, next
state), so random numbers cost no flush, and the stream is the same in every executor.
"""
from __future__ import annotations

import contextlib
import os
import struct
import threading
from typing import Any, Iterator

import numpy as np

from .dtypes import float64, uint8
from .ir.types import tensor_type
from .ops.creation import from_array
from .primitives.random import STATE, _draw, seeded_state
from .runtime.trace import Value, trace
from .tensor.attributes import host_array
from .tensor.device import CPU, check_device, device as device_class
from .tensor.placement import moved_value
from .tensor.tensor import Tensor

DEFAULT_SEED = 67280421310721


class Generator:
    """A random stream of a device. state: the Value uint32[625] of the twister; normal: the Value of a kept normal draw, or None.

    The CPU's stream is PyTorch's, and "xla:cpu" draws from it, too. Other devices have streams of their own (`xla/rules/random.py`).
    """

    __slots__ = ("state", "normal", "_seed", "_device", "__weakref__")

    def __init__(self, device: Any = "cpu"):
        self._device = check_device(device)
        self.manual_seed(DEFAULT_SEED)

    @property
    def device(self) -> device_class:
        """The device whose stream this is."""
        return self._device

    def draws_on(self, where: device_class) -> bool:
        """Whether tensors on a device can be filled from this stream."""
        return self.device.type in (where.type, "cpu" if where.type == "xla:cpu" else None)

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of `seed` (any 64-bit integer; the twister takes its low 32 bits)."""
        seed = int(seed)
        if not -0x8000_0000_0000_0000 <= seed <= 0xFFFF_FFFF_FFFF_FFFF:
            raise RuntimeError("Overflow when unpacking long long")
        self._seed = seed & 0xFFFF_FFFF_FFFF_FFFF
        self.state = Value(STATE, seeded_state(seed))
        self.normal: Value | None = None
        return self

    def advance(self, state: Value) -> None:
        """Moves on to `state`; a program that fails puts the old one back."""
        if self.state.buffer is not None:
            trace.undo.append((self, self.state))
        self.state = state

    def restore(self, state: Value) -> None:
        """Takes back draws whose program failed before it had made them."""
        if self.state.buffer is None:
            self.state = state

    def initial_seed(self) -> int:
        """The seed that started the stream."""
        return self._seed

    def seed(self) -> int:
        """Starts a stream from a seed of the operating system; returns the seed."""
        seed = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(seed)
        return seed

    def words(self, n: int) -> np.ndarray:
        """Draws the next n 32-bit words at once, as an array: for callers that make many small numbers of their own."""
        words, after = _draw(self.state.array(), n)
        self.state = Value(STATE, after)
        return words

    def get_state(self) -> Tensor:
        """The state as a ByteTensor (5,056 bytes, PyTorch's layout)."""
        words = self.state.array()
        position = int(words[624]) % 624  # an exhausted block and a fresh seed are the same state
        raw = struct.pack("<QiiQ", self._seed, 625 - position if position else 1, 1, position)
        raw += words[:624].astype(np.uint64).tobytes()
        normal = 0.0 if self.normal is None else float(self.normal.array())
        raw += struct.pack("<dddi", 0.0, normal, 0.0, self.normal is not None)
        return from_array(np.frombuffer(raw.ljust(5056, b"\0"), np.uint8).copy(), uint8)

    def set_state(self, new_state: Tensor) -> Generator:
        """Continues from a state that `get_state` gave."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state.dtype is not uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        raw = host_array(new_state).tobytes()
        if len(raw) != 5056:
            raise RuntimeError(f"Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be {len(raw)}")
        self._seed, left, _ = struct.unpack_from("<Qii", raw, 0)
        position, = struct.unpack_from("<Q", raw, 16)
        words = np.frombuffer(raw, np.uint64, 624, 24).astype(np.uint32)
        _, normal, _, has_normal = struct.unpack_from("<dddi", raw, 24 + 624 * 8)
        self.state = Value(STATE, np.concatenate([words, [624 if left == 1 else position]]).astype(np.uint32))
        self.normal = Value(tensor_type(float64, ()), np.array(normal)) if has_normal else None
        return self

    def clone_state(self) -> Generator:
        """A generator that continues the same stream on its own."""
        twin = Generator(self.device)
        twin.state, twin.normal, twin._seed = self.state, self.normal, self._seed
        return twin

    def __reduce__(self):
        return Generator, (self.device,), (self._seed, None, self.get_state())  # None: an offset, which only CUDA's has

    def __setstate__(self, state: tuple) -> None:
        self.set_state(state[2])

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"


class DefaultGenerator(Generator):
    """The stream that is drawn from unless another is given. A thread can have another one take its place."""

    __slots__ = ("_shared", "_local")

    def __init__(self):
        self._shared = Generator()
        self._local = threading.local()

    def _current(self) -> Generator:
        return getattr(self._local, "generator", self._shared)

    state = property(lambda self: self._current().state, lambda self, state: setattr(self._current(), "state", state))
    normal = property(lambda self: self._current().normal, lambda self, normal: setattr(self._current(), "normal", normal))
    _seed = property(lambda self: self._current()._seed, lambda self, seed: setattr(self._current(), "_seed", seed))
    device = property(lambda self: CPU)

    def advance(self, state: Value) -> None:
        """As of `Generator`; what is put back is the stream that was drawn from."""
        self._current().advance(state)

    @contextlib.contextmanager
    def replaced_by(self, generator: Generator) -> Iterator[None]:
        """A block in which this thread draws from `generator` instead."""
        before = self._current()
        self._local.generator = generator
        try:
            yield
        finally:
            self._local.generator = before


default_generator = DefaultGenerator()


_device_generators: dict[device_class, Generator] = {}


def default_generator_of(where: device_class) -> Generator:
    """The stream that tensors on a device are drawn from unless another is given."""
    if where is CPU or where.type == "xla:cpu":
        return default_generator
    found = _device_generators.get(where)
    if found is None:
        found = _device_generators[where] = Generator(where)
        found.manual_seed(default_generator.initial_seed())
    return found


class GeneratorOn:
    """A generator as something that draws on a device meets it: its state is there."""

    __slots__ = ("generator", "where")

    def __init__(self, generator: Generator, where: device_class):
        self.generator, self.where = generator, where

    @property
    def state(self) -> Value:
        """The state on the device."""
        return moved_value(self.generator.state, self.where)

    @property
    def normal(self) -> Value | None:
        """A kept normal draw on the device, or None."""
        kept = self.generator.normal
        return None if kept is None else moved_value(kept, self.where)

    @normal.setter
    def normal(self, kept: Value | None) -> None:
        self.generator.normal = kept

    def advance(self, state: Value) -> None:
        """As of `Generator`."""
        self.generator.advance(state)


def generator_on(generator: Any, where: device_class) -> Any:
    """A given generator, or the default one, for drawing on a device."""
    if isinstance(generator, GeneratorOn):
        return generator
    if generator is None:
        return GeneratorOn(default_generator_of(where), where)
    if not isinstance(generator, Generator):
        raise TypeError(f"expected a 'torch.Generator' but got {type(generator).__name__}")
    if not generator.draws_on(where):
        raise RuntimeError(f"Expected a '{where.type}' device type for generator but found '{generator.device.type}'")
    return GeneratorOn(generator, where)


def manual_seed(seed: int) -> Generator:
    """Seeds the default generators of the CPU and of all devices; returns the CPU's."""
    for generator in _device_generators.values():
        generator.manual_seed(seed)
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seeds the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Sets the default generator's state."""
    default_generator.set_state(new_state)


def thread_safe_generator() -> Generator | None:
    """The generator of the DataLoader's worker thread that calls; None elsewhere, where the default generator will do."""
    from .utils.data import get_worker_info  # which needs this module
    info = get_worker_info()
    return info.rng.torch_generator if info is not None and info.worker_method == "thread" and info.rng is not None else None


class fork_rng:
    """A context (or decorator) that puts the default generator back where it was."""

    def __init__(self, devices: Any = None, enabled: bool = True, _caller: str = "fork_rng", _devices_kw: str = "devices",
                 device_type: str = "cuda"):
        self.enabled = enabled

    def __enter__(self):
        if self.enabled:
            self.kept = default_generator.clone_state()

    def __exit__(self, *exc):
        if self.enabled:
            g = default_generator
            g.state, g.normal, g._seed = self.kept.state, self.kept.normal, self.kept._seed
        return False

    def __call__(self, fn):
        import functools

        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            with fork_rng(enabled=self.enabled):
                return fn(*args, **kwargs)
        return wrapped
