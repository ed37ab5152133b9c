"""`torch.cuda.random`: the GPUs' generators."""
from __future__ import annotations

from typing import Any, Iterable

from ..random import Generator, default_generator_of
from ..tensor.device import check_device
from ..tensor.tensor import Tensor
from ._devices import device_count, index_of, is_available


def generators() -> list[Generator]:
    """The generators of all GPUs."""
    return [default_generator_of(check_device(f"cuda:{i}")) for i in range(device_count())]


def _generator(device: Any) -> Generator:
    return default_generator_of(check_device(f"cuda:{index_of(None if device == 'cuda' else device)}"))


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's generator; without a GPU nothing happens."""
    if is_available():
        _generator(None).manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the generators of all GPUs."""
    for generator in generators():
        generator.manual_seed(seed)


def seed() -> None:
    """Seeds the current GPU's generator from the operating system."""
    if is_available():
        _generator(None).seed()


def seed_all() -> None:
    """Seeds the generators of all GPUs from the operating system, alike."""
    if is_available():
        manual_seed_all(_generator(None).seed())


def initial_seed() -> int:
    """The seed of the current GPU's generator."""
    return _generator(None).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The state of a GPU's generator."""
    return _generator(device).get_state()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Sets the state of a GPU's generator."""
    _generator(device).set_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """The states of all GPUs' generators."""
    return [generator.get_state() for generator in generators()]


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Sets the states of all GPUs' generators."""
    for generator, state in zip(generators(), new_states):
        generator.set_state(state)
