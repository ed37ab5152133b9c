"""DistributedDataParallel: the same model in several processes, each of which sees its own part of every batch.

Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", arXiv:2006.15704.
"""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

import numpy as np

from ... import distributed as dist
from ...distributed._group import Call
from ...distributed._tensors import flat, from_words, words, write
from ...distributed._world import the_group
from ...tensor.grad_mode import mode
from ...tensor.tensor import Tensor
from ..modules.module import Module
from ._reducer import Reducer

_FIRST_MB, _MOST_MB = 1, 25


class DistributedDataParallel(Module):
    """Calls `module`, and averages its gradients over all processes of the group after each backward pass.

    All processes begin with the parameters and buffers of rank 0, and, as they see the same averages, keep the same
    parameters. The averages are those of the whole batch if all parts of it have the same length, and the loss is a mean.

    Args:
        device_ids, output_device: the one GPU that the module is on; for CPU modules None (default).
        broadcast_buffers: send rank 0's buffers (running statistics) to everybody before each forward pass (default: True).
        init_sync: compare parameters, and send rank 0's to everybody, at the beginning (default: True).
        process_group: default: all processes.
        bucket_cap_mb: how much gradients travel in one message, in MiB (default: 25).
        find_unused_parameters: look at each output for parameters that it does not depend on (default: False).
        gradient_as_bucket_view: gradients share the messages' memory. They do in any case.
        static_graph: the same parameters are used in each step; they are looked at once.
        dim, check_reduction: nothing depends on them.

    Errors: RuntimeError if no parameter needs a gradient, or if the models of the processes differ; in forward, if
    parameters had no part in the last loss and find_unused_parameters is False.
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0,
                 broadcast_buffers: bool | None = None, init_sync: bool = True, process_group: Any = None,
                 bucket_cap_mb: float | None = None, find_unused_parameters: bool = False, check_reduction: bool = False,
                 gradient_as_bucket_view: bool = False, static_graph: bool = False) -> None:
        super().__init__()
        self.process_group = the_group(process_group)
        self.parameters_to_ignore = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        if not any(p.requires_grad for p in module.parameters()):  # type: ignore[attr-defined]
            raise RuntimeError("DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient.")
        self.module = module
        self.device = next(module.parameters()).device
        self.device_ids, self.output_device = self._checked_devices(device_ids, output_device)
        self.dim, self.static_graph = dim, static_graph
        self.broadcast_buffers = True if broadcast_buffers is None else broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        self.bucket_bytes_cap = int((_MOST_MB if bucket_cap_mb is None else bucket_cap_mb) * 2 ** 20)
        if init_sync:
            self._verify_models()
            self._copy_from_first([*self._managed(module.named_parameters()), *self._managed(module.named_buffers())])
        self.reducer = self._make_reducer()

    def _make_reducer(self) -> Reducer:
        trained = [p for p in self._managed(self.module.named_parameters()) if p.requires_grad]  # type: ignore[attr-defined]
        first = min(_FIRST_MB * 2 ** 20, self.bucket_bytes_cap)
        return Reducer(trained, self.process_group, first, self.bucket_bytes_cap, self.find_unused_parameters, self.static_graph)

    def _checked_devices(self, device_ids: Sequence[Any] | None, output_device: Any) -> tuple[list | None, Any]:
        kinds = {p.device for p in self.module.parameters()}
        on_host = all(kind.type == "cpu" for kind in kinds)
        if device_ids and len(device_ids) > 1:
            raise ValueError("device_ids can only be None or contain a single element.")
        if (device_ids or output_device is not None) and (on_host or len(kinds) > 1):
            raise ValueError("DistributedDataParallel device_ids and output_device arguments only work with "
                             "single-device/multiple-device GPU modules or CPU modules, but got device_ids "
                             f"{device_ids}, output_device {output_device}, and module parameters {kinds}.")
        return (list(device_ids) if device_ids else None), output_device

    def _managed(self, named: Iterator[tuple[str, Tensor]]) -> list[Tensor]:
        return [t for name, t in named if name not in self.parameters_to_ignore]

    # ------------------------------------------------------------------ the same state everywhere

    def _verify_models(self) -> None:
        """RuntimeError if the processes' parameters have other shapes or dtypes."""
        mine = [(list(p.shape), p.dtype.name) for p in self._managed(self.module.named_parameters())]
        everybody: list[Any] = [None] * self.process_group.size()
        dist.all_gather_object(everybody, mine, self.process_group)
        for rank, theirs in enumerate(everybody):
            if len(theirs) != len(everybody[0]):
                raise RuntimeError(f"DDP expects same model across all ranks, but Rank 0 has {len(everybody[0])} params, while rank {rank} "
                                   f"has inconsistent {len(theirs)} params.")
            for number, (first, other) in enumerate(zip(everybody[0], theirs)):
                if first != other:
                    raise RuntimeError(f"[{rank}]: params[{number}] in this process with sizes {other[0]} ({other[1]}) appears not to "
                                       f"match sizes of the same param in process 0: {first[0]} ({first[1]}).")

    def _copy_from_first(self, tensors: list[Tensor]) -> None:
        """Overwrites all tensors with those of the group's first process, in one message."""
        group = self.process_group
        if group.size() == 1 or not tensors:
            return
        mine = [flat(t) for t in tensors]
        packed = [words(array) for array in mine]
        joined = np.concatenate(packed)
        is_first = group.rank() == 0

        def copy(total: np.ndarray) -> None:
            if not is_first:
                ends = np.cumsum([part.size for part in packed])[:-1]
                for t, array, part in zip(tensors, mine, np.split(total, ends)):
                    write(t, from_words(part, array))
        call = Call("BROADCAST", joined.shape, "", "state of DistributedDataParallel")
        group.submit(call, lambda engine: engine.all_reduce(joined if is_first else np.zeros_like(joined), "sum"),
                     lambda: joined, copy).wait()

    def will_sync_module_buffers(self) -> bool:
        """Whether the next forward pass begins with rank 0's buffers."""
        return self.require_forward_param_sync and self.broadcast_buffers and bool(self._managed(self.module.named_buffers()))

    # ------------------------------------------------------------------ steps

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Backward passes from outputs that are computed in here add up gradients of this process alone; the next one from
        outside averages the sums."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        syncs = mode.enabled and self.require_backward_grad_sync
        if syncs:
            self._check_finished()
        if self.will_sync_module_buffers():
            self._copy_from_first(self._managed(self.module.named_buffers()))
        if self.device_ids:
            inputs, kwargs = _moved((inputs, kwargs), self.device)
        outputs = self.module(*inputs, **kwargs)
        self.require_forward_param_sync = syncs
        if syncs:
            self.reducer.prepare(outputs)
        elif mode.enabled:
            self.reducer.disarm()
        return outputs

    def _check_finished(self) -> None:
        missing = self.reducer.missing()
        if missing:
            raise RuntimeError(
                "Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that your "
                "module has parameters that were not used in producing loss. You can enable unused parameter detection by passing "
                "the keyword argument `find_unused_parameters=True` to `torch.nn.parallel.DistributedDataParallel`, and by \nmaking "
                "sure all `forward` function outputs participate in calculating loss. \nParameter indices which did not receive grad "
                f"for rank {dist.get_rank()}: {' '.join(map(str, missing))}")

    def train(self, mode: bool = True) -> DistributedDataParallel:
        super().train(mode)
        return self

    # ------------------------------------------------------------------ copies

    def __getstate__(self) -> dict:
        state = self.__dict__.copy()
        del state["process_group"], state["reducer"]
        return state

    def __setstate__(self, state: dict) -> None:
        """The copy belongs to the group of all processes."""
        self.__dict__.update(state)
        self.process_group = the_group()
        self.reducer = self._make_reducer()


def _moved(value: Any, device: Any) -> Any:
    """The same tuples, lists and dicts, with all tensors on the device."""
    if isinstance(value, Tensor):
        return value.to(device)  # type: ignore[attr-defined]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(part, device) for part in value))
    if isinstance(value, (list, tuple)):
        return type(value)(_moved(part, device) for part in value)
    if isinstance(value, dict):
        return type(value)((key, _moved(part, device)) for key, part in value.items())
    return value
