"""DistributedDataParallel: the same model in several processes, each of which sees its own part of every batch.

Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", arXiv:2006.15704.
"""
from __future__ import annotations

import inspect
import warnings
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from ... import distributed as dist
from ...distributed._group import Call
from ...distributed._reduce_op import ReduceOp
from ...distributed._tensors import flat, from_words, words, write
from ...distributed._world import the_group
from ...distributed.algorithms.join import Join, Joinable, JoinHook
from ...futures import Future
from ...tensor.grad_mode import mode
from ...dtypes import int64
from ...ops.creation import from_array
from ...tensor.tensor import Tensor
from ..modules.module import Module
from ._reducer import Reducer

_FIRST_MB, _MOST_MB = 1, 25


class _DDPJoinHook(JoinHook):
    """Answers for a model whose process has no more inputs. is_divided_by_all: whether means are those over all processes (True), or
    those that have inputs."""

    def __init__(self, model: DistributedDataParallel, is_divided_by_all: bool) -> None:
        self.model = model
        model._is_divided_by_all = is_divided_by_all

    def main_hook(self) -> None:
        model = self.model
        if model.will_sync_module_buffers():
            model._copy(model._managed(model.module.named_buffers()), model._greatest_rank(False))
        syncs = model._does_anybody_sync(False)
        model.require_forward_param_sync = syncs
        if syncs:
            model.reducer.reduce(absent=True)

    def post_hook(self, is_last_joiner: bool) -> None:
        model = self.model
        model.reducer.divisor = model.process_group.size()
        buffers = model._managed(model.module.named_buffers()) if model.forward_sync_buffers else []
        model._copy([*model._managed(model.module.named_parameters()), *buffers], model._greatest_rank(is_last_joiner))


class DistributedDataParallel(Module, Joinable):
    """Calls `module`, and averages its gradients over all processes of the group after each backward pass.

    All processes begin with the parameters and buffers of rank 0, and, as they see the same averages, keep the same
    parameters. The averages are those of the whole batch if all parts of it have the same length, and the loss is a mean.

    Args:
        device_ids, output_device: the one GPU that the module is on; for CPU modules None (default).
        broadcast_buffers: as forward_sync_buffers, and at the beginning, too. Deprecated since PyTorch 2.13.
        init_sync: compare parameters, and send rank 0's to everybody, at the beginning (default: True).
        process_group: default: all processes.
        bucket_cap_mb: how much gradients travel in one message, in MiB (default: 25).
        find_unused_parameters: look at each output for parameters that it does not depend on (default: False).
        gradient_as_bucket_view: gradients share the messages' memory. They do in any case.
        static_graph: the same parameters are used in each step; they are looked at once.
        device_mesh: in the place of process_group, a mesh of one dimension.
        bucket_cap_mb_list: the same for each of the first buckets; others as the last.
        forward_sync_buffers: send rank 0's buffers (running statistics) to everybody before each forward pass (default: True).
        skip_all_reduce_unused_params, batched_grad_copy: what they are about happens in any case: parameters that nobody used keep their
            gradients, and gradients are joined in one program.
        dim, check_reduction: nothing depends on them.

    Errors: RuntimeError if no parameter needs a gradient, or if the models of the processes differ; in forward, if
    parameters had no part in the last loss and find_unused_parameters is False.
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0,
                 broadcast_buffers: bool | None = None, init_sync: bool = True, process_group: Any = None,
                 bucket_cap_mb: float | None = None, find_unused_parameters: bool = False, check_reduction: bool = False,
                 gradient_as_bucket_view: bool = False, static_graph: bool = False, *, device_mesh: Any = None,
                 skip_all_reduce_unused_params: bool = False, bucket_cap_mb_list: Sequence[float] | None = None,
                 batched_grad_copy: bool = False, forward_sync_buffers: bool | None = None) -> None:
        super().__init__()
        self.process_group = _group_of(process_group, device_mesh)
        self.parameters_to_ignore = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
        if not any(p.requires_grad for p in module.parameters()):  # type: ignore[attr-defined]
            raise RuntimeError("DistributedDataParallel is not needed when a module doesn't have any parameter that requires a gradient.")
        self.module = module
        self.device = next(module.parameters()).device
        self.device_ids, self.output_device = self._checked_devices(device_ids, output_device)
        self.dim, self.static_graph = dim, static_graph
        self.forward_sync_buffers, copies_buffers = _buffer_options(broadcast_buffers, forward_sync_buffers)
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        caps = bucket_cap_mb_list or ([_FIRST_MB, _MOST_MB] if bucket_cap_mb is None else [min(_FIRST_MB, bucket_cap_mb), bucket_cap_mb])
        self._bucket_limits = [int(cap * 2 ** 20) for cap in caps]
        self.bucket_bytes_cap = max(self._bucket_limits)
        self._is_divided_by_all = True
        if init_sync:
            self._verify_models()
            buffers = self._managed(module.named_buffers()) if copies_buffers else []
            self._copy([*self._managed(module.named_parameters()), *buffers])
        self.reducer = self._make_reducer()

    def _make_reducer(self) -> Reducer:
        trained = [p for p in self._managed(self.module.named_parameters()) if p.requires_grad]  # type: ignore[attr-defined]
        return Reducer(trained, self.process_group, self._bucket_limits, self.find_unused_parameters, self.static_graph)

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

    def _copy(self, tensors: list[Tensor], source: int = 0) -> None:
        """Overwrites all tensors with those of the group's process `source`, in one message."""
        group = self.process_group
        if group.size() == 1 or not tensors:
            return
        mine = [flat(t) for t in tensors]
        packed = [words(array) for array in mine]
        joined = np.concatenate(packed)
        is_source = group.rank() == source

        def copy(total: np.ndarray) -> None:
            if not is_source:
                ends = np.cumsum([part.size for part in packed])[:-1]
                for t, array, part in zip(tensors, mine, np.split(total, ends)):
                    write(t, from_words(part, array))
        call = Call("BROADCAST", joined.shape, "", "state of DistributedDataParallel")
        group.submit(call, lambda engine: engine.all_reduce(joined if is_source else np.zeros_like(joined), "sum"),
                     lambda: joined, copy).wait()

    def will_sync_module_buffers(self) -> bool:
        """Whether the next forward pass begins with rank 0's buffers."""
        return self.require_forward_param_sync and self.forward_sync_buffers and bool(self._managed(self.module.named_buffers()))

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
        joins = self._join_config.enable
        if joins:
            self._count_present()
        syncs = mode.enabled and self.require_backward_grad_sync
        if syncs:
            self._check_finished()
        if self.will_sync_module_buffers():
            self._copy(self._managed(self.module.named_buffers()), self._greatest_rank(True) if joins else 0)
        if joins:
            self._does_anybody_sync(syncs)
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

    # ------------------------------------------------------------------ inputs of unequal lengths

    def join(self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False) -> Join:
        """Context manager around a training loop whose number of steps is not the same in all processes: those that are done answer the
        others' collectives, and at the end all have the model of the one that took the most steps.

        divide_by_initial_world_size: gradients are means over all processes, those without inputs having none (default), or over those
        that have inputs. enable, throw_on_early_termination: see `torch.distributed.algorithms.Join`.
        """
        return Join([self], enable, throw_on_early_termination, divide_by_initial_world_size=divide_by_initial_world_size)

    def join_hook(self, **kwargs: Any) -> JoinHook:
        """For `Join`; divide_by_initial_world_size: see `join`."""
        return _DDPJoinHook(self, kwargs.get("divide_by_initial_world_size", True))

    @property
    def join_device(self) -> Any:
        return self.device

    @property
    def join_process_group(self) -> Any:
        return self.process_group

    def _count_present(self) -> None:
        work = Join.notify_join_context(self)
        if work is not None and not self._is_divided_by_all:
            work.wait()
            self.reducer.divisor = int(work.results[0].item())

    def _greatest_rank(self, counts: bool) -> int:
        """The greatest number, in the group, of the processes that count."""
        rank = from_array(np.full(1, self.process_group.rank() if counts else -1, np.int64), int64).to(self.device)  # type: ignore[attr-defined]
        dist.all_reduce(rank, ReduceOp.MAX, self.process_group)
        return int(rank.item())  # type: ignore[attr-defined]

    def _does_anybody_sync(self, here: bool) -> bool:
        """Whether gradients are averaged after the next backward pass (not inside of no_sync). Those without inputs ask."""
        return self._greatest_rank(here) >= 0

    # ------------------------------------------------------------------ hooks

    def register_comm_hook(self, state: object, hook: Callable[[Any, Any], Future]) -> None:
        """Has `hook(state, bucket)` average gradients: it is given a `GradBucket` of undivided gradients, and returns a
        `torch.futures.Future` of one tensor like its buffer. `torch.distributed.algorithms.ddp_comm_hooks.default_hooks` has some.

        Errors: TypeError if it cannot be called; ValueError for annotations that say something else; RuntimeError for a second one.
        """
        if not callable(hook):
            raise TypeError("Communication hook must be callable.")
        _check_annotations(hook)
        if self.reducer.hook is not None:
            raise RuntimeError("register_comm_hook or register_builtin_comm_hook can only be called once.")
        self.reducer.hook = lambda bucket: hook(state, bucket)

    # ------------------------------------------------------------------ modes

    @property
    def broadcast_buffers(self) -> bool:
        """The older name of forward_sync_buffers."""
        return self.forward_sync_buffers

    @broadcast_buffers.setter
    def broadcast_buffers(self, value: bool) -> None:
        self.forward_sync_buffers = value

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


def _group_of(process_group: Any, device_mesh: Any) -> Any:
    if device_mesh is None:
        return the_group(process_group)
    if process_group is not None:
        raise RuntimeError("Cannot specify both process_group and device_mesh arguments.")
    if device_mesh.ndim != 1:
        raise RuntimeError(f"Only 1D device mesh is supported, but got {device_mesh}.")
    return device_mesh.get_group(0)


def _buffer_options(broadcast: bool | None, forward_sync: bool | None) -> tuple[bool, bool]:
    """(whether to copy buffers before each forward pass, whether at the beginning)."""
    if broadcast is None:
        return True if forward_sync is None else forward_sync, True
    if forward_sync is not None:
        warnings.warn("Both `broadcast_buffers` and `forward_sync_buffers` were specified. `broadcast_buffers` is deprecated and its value "
                      "is ignored when `forward_sync_buffers` is provided.", FutureWarning, stacklevel=3)
        return forward_sync, True
    warnings.warn("`broadcast_buffers` is deprecated. Use `forward_sync_buffers` instead, which always copies buffers at the beginning.",
                  FutureWarning, stacklevel=3)
    return broadcast, broadcast


def _check_annotations(hook: Callable) -> None:
    signature = inspect.signature(hook)
    bucket = signature.parameters["bucket"].annotation
    if bucket not in (inspect.Parameter.empty, dist.GradBucket, "GradBucket", "dist.GradBucket"):
        raise ValueError("Communication hook: bucket annotation should be dist.GradBucket.")
    if signature.return_annotation not in (inspect.Parameter.empty, Future[Tensor]) and not isinstance(signature.return_annotation, str):
        raise ValueError("Communication hook: return annotation should be torch.futures.Future[torch.Tensor].")


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
