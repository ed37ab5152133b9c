"""Batch normalisation: Ioffe & Szegedy 2015, arXiv:1502.03167."""
from __future__ import annotations

from typing import Any

import flambeau

from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedBuffer, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module


class _NormBase(Module):
    """What batch and instance normalisation share: parameters, running statistics, text.

    num_features: C.  momentum: running = (1 − momentum) · running + momentum · new; None keeps the plain mean of all
    batches. affine: trained weight (C,), initially 1, and bias (C,), initially 0.
    track_running_stats: keep running mean and variance, and use them in evaluation.
    """

    _version = 2  # 2 added num_batches_tracked
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]
    _dims: tuple[int, ...]  # how many dimensions an input may have

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = flambeau.empty(num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, Parameter(values) if wanted else None)
        if track_running_stats:
            self.register_buffer("running_mean", flambeau.zeros(num_features, device=device, dtype=dtype))
            self.register_buffer("running_var", flambeau.ones(num_features, device=device, dtype=dtype))
            self.register_buffer("num_batches_tracked", flambeau.tensor(0, dtype=flambeau.long, device=device))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set everything to its initial value."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._dims:
            raise ValueError(f"expected {' or '.join(f'{n}D' for n in self._dims)} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, *args: Any) -> None:
        if local_metadata.get("version") is None or local_metadata["version"] < 2:
            if self.track_running_stats:
                tracked = self.num_batches_tracked
                state_dict.setdefault(prefix + "num_batches_tracked",
                                      tracked if tracked is not None else flambeau.tensor(0, dtype=flambeau.long))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        training, running_mean, running_var = self.training, self.running_mean, self.running_var
        factor = 0.0 if self.momentum is None else self.momentum
        if training:
            if not self.track_running_stats:
                running_mean = running_var = None
            elif self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    factor = 1.0 / float(self.num_batches_tracked)
        from_batch = training or (running_mean is None and running_var is None)
        return F.batch_norm(input, running_mean, running_var, self.weight, self.bias, from_batch, factor, self.eps)


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalisation that takes `num_features` from its first input."""

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = flambeau.tensor(0, dtype=flambeau.long, device=device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Give the parameters and statistics the shapes that `input` asks for, and their initial values."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
            if tensor is not None:
                tensor.materialize((self.num_features,))
        self.reset_parameters()


class BatchNorm1d(_BatchNorm):
    """(x − mean) / √(variance + eps) · weight + bias, with the statistics of each feature over the batch in training,
    and the running ones in evaluation. Shapes: (N, C) or (N, C, L), unchanged."""

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """As BatchNorm1d, for images. Shapes: (N, C, H, W), unchanged."""

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """As BatchNorm1d, for volumes. Shapes: (N, C, D, H, W), unchanged."""

    _dims = (5,)


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """A BatchNorm1d that takes `num_features` from its first input."""

    cls_to_become = BatchNorm1d
    _dims = BatchNorm1d._dims


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """A BatchNorm2d that takes `num_features` from its first input."""

    cls_to_become = BatchNorm2d
    _dims = BatchNorm2d._dims


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """A BatchNorm3d that takes `num_features` from its first input."""

    cls_to_become = BatchNorm3d
    _dims = BatchNorm3d._dims


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes of a group: in training, everybody's means and variances are
    joined. process_group: default: all processes, if there are several.

    Shapes:  (N, C, *), unchanged; N may differ between processes, and be 0.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, process_group: Any = None, device: Any = None, dtype: Any = None, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.size(1) == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not self._is_shared():
            return super().forward(input)
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        return self._normalized(input, factor)

    def _is_shared(self) -> bool:
        from ... import distributed as dist
        return dist.is_initialized() and dist.get_world_size(self.process_group) > 1

    def _normalized(self, input: Tensor, factor: float) -> Tensor:
        """Normalises by the moments of all processes' batches, and moves the running statistics by `factor` to them."""
        x = input.to(flambeau.promote_types(input.dtype, flambeau.float32))
        along = (1, -1) + (1,) * (x.ndim - 2)
        mean, squares, count = self._moments(x)
        y = (x - mean.view(along)) * (squares / count + self.eps).rsqrt().view(along)
        if self.track_running_stats and self.running_mean is not None:
            with flambeau.no_grad():
                variance = squares / (count - 1).clamp(min=1)
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
                self.running_var.lerp_(variance.to(self.running_var.dtype), factor)
        if self.weight is not None:
            y = y * self.weight.view(along)
        if self.bias is not None:
            y = y + self.bias.view(along)
        return y.to(input.dtype)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(mean (C,), sum of squared distances from it (C,), number of elements) over all processes, by the formula of Chan,
        Golub & LeVeque 1983, which does not subtract large numbers."""
        from ...distributed.nn.functional import all_gather
        channels, dims = x.shape[1], (0, *range(2, x.ndim))
        count = x.numel() // channels
        mean = x.sum(dims) / max(count, 1)
        squares = (x - mean.view((1, -1) + (1,) * (x.ndim - 2))).square().sum(dims)
        mine = flambeau.cat([mean, squares, x.new_full((1,), count)])
        everybody = flambeau.stack(all_gather(mine, self.process_group))
        means, counts = everybody[:, :channels], everybody[:, -1:]
        total = counts.sum()
        mean = (means * counts).sum(0) / total
        return mean, everybody[:, channels:-1].sum(0) + (counts * (means - mean).square()).sum(0), total

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """`module` with every batch normalisation in it replaced by a SyncBatchNorm with the same parameters and
        statistics."""
        converted = module
        if isinstance(module, _BatchNorm):
            converted = SyncBatchNorm(module.num_features, module.eps, module.momentum, module.affine,
                                      module.track_running_stats, process_group, bias=module.bias is not None)
            if module.affine:
                converted.weight, converted.bias = module.weight, module.bias
            converted.running_mean, converted.running_var = module.running_mean, module.running_var
            converted.num_batches_tracked = module.num_batches_tracked
            converted.training = module.training
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted
