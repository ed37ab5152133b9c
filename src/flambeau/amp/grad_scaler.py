"""`GradScaler`: scales losses up, so that gradients in half precision do not vanish, and gradients down before the step."""
from __future__ import annotations

import warnings
from collections import defaultdict
from enum import Enum
from typing import Any, Iterable

from ..autograd.grad_mode import no_grad
from ..dtypes import float16, float32, int32
from ..ops.creation import filled
from ..tensor.device import check_device
from ..tensor.placement import device_of, moved
from ..tensor.tensor import Tensor
from ..xla import backend

__all__ = ["GradScaler", "OptState"]

_UNUSED = "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."


class OptState(Enum):
    """What has been done with an optimizer since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh_state() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Dynamic loss scaling (Micikevicius et al., "Mixed precision training", 2018).

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    `step` divides the gradients by the scale and leaves the step out if any is not finite. `update` then multiplies the scale by
    backoff_factor, and by growth_factor after growth_interval steps in a row that were not left out. device: 'cpu', 'tpu', 'xla:cpu'
    or 'cuda', the default, for which it warns and disables itself where there is no GPU.
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0 ** 16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda" and not backend.devices("cuda"):
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", UserWarning, stacklevel=2)
            self._enabled = False
        if self._enabled:
            assert growth_factor > 1.0, "The growth factor must be > 1.0."
            assert backoff_factor < 1.0, "The backoff factor must be < 1.0."
            self._init_scale = init_scale
            self._scale: Tensor | None = None  # made with the first loss
            self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
            self._init_growth_tracker = 0
            self._growth_tracker: Tensor | None = None
            self._per_optimizer_states: dict[int, dict[str, Any]] = defaultdict(_fresh_state)

    def _check_scale_growth_tracker(self, funcname: str) -> tuple[Tensor, Tensor]:
        assert self._scale is not None and self._growth_tracker is not None, f"Attempted {funcname} but _scale is None.  {_UNUSED}"
        return self._scale, self._growth_tracker

    def _lazy_init_scale_growth_tracker(self) -> None:
        where = check_device(self._device)
        self._scale = moved(filled((), self._init_scale, float32), where)
        self._growth_tracker = moved(filled((), self._init_growth_tracker, int32), where)

    def scale(self, outputs: Any) -> Any:
        """A tensor, or tensors in nested containers, multiplied by the scale."""
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._lazy_init_scale_growth_tracker()
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled  # type: ignore[call-arg]
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _unscale_grads_(self, optimizer: Any, inverse: Tensor, allow_fp16: bool) -> dict:
        """Divides the gradients in place; returns {device: whether any was not finite (0. or 1.)}."""
        found = None
        with no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    g = param.grad
                    if g is None:
                        continue
                    if not allow_fp16 and g.dtype is float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    values = g._values() if g.is_sparse else g
                    bad = values.isfinite().logical_not().any()
                    found = bad if found is None else found.logical_or(bad)
                    values.mul_(inverse)
        return {} if found is None else {str(device_of(found)): found.to(float32)}

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients of an optimizer's parameters by the scale now, to clip them for instance; once for each step."""
        if not self._enabled:
            return
        scale, _ = self._check_scale_growth_tracker("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = scale.double().reciprocal().float()  # type: ignore[attr-defined]
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inverse, False)
        state["stage"] = OptState.UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step(*args, **kwargs) on gradients divided by the scale, unless one of them is not finite; closures are refused."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale_growth_tracker("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        assert state["found_inf_per_device"], "No inf checks were recorded for this optimizer."
        result = None
        if not any(found.item() for found in state["found_inf_per_device"].values()):
            result = optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapts the scale to the steps since the last update, or sets it."""
        if not self._enabled:
            return
        scale, tracker = self._check_scale_growth_tracker("update")
        if new_scale is not None:
            self._set_scale(scale, new_scale)
        else:
            founds = [found for state in self._per_optimizer_states.values() for found in state["found_inf_per_device"].values()]
            assert founds, "No inf checks were recorded prior to update."
            self._adapt(scale, tracker, any(found.item() for found in founds))
        self._per_optimizer_states = defaultdict(_fresh_state)

    def _set_scale(self, scale: Tensor, new: float | Tensor) -> None:
        if isinstance(new, Tensor):
            assert new.numel() == 1 and not new.requires_grad, (  # type: ignore[attr-defined]
                "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False.")
            scale.copy_(new)  # type: ignore[attr-defined]
        else:
            scale.fill_(new)  # type: ignore[attr-defined]

    def _adapt(self, scale: Tensor, tracker: Tensor, left_out: bool) -> None:
        if left_out:
            scale.mul_(self._backoff_factor)  # type: ignore[attr-defined]
            tracker.fill_(0)  # type: ignore[attr-defined]
            return
        steps = tracker.item() + 1  # type: ignore[attr-defined]
        if steps == self._growth_interval:
            grown = scale * self._growth_factor  # type: ignore[operator]
            if grown.isfinite():
                scale.copy_(grown)  # type: ignore[attr-defined]
            steps = 0
        tracker.fill_(steps)  # type: ignore[attr-defined]

    def get_scale(self) -> float:
        """The scale; 1.0 if disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()  # type: ignore[attr-defined]

    def get_growth_factor(self) -> float:
        """What the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets what the scale grows by."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale shrinks by."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets what the scale shrinks by."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()  # type: ignore[attr-defined]

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and what it is adapted by; empty if disabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._get_growth_tracker()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave. RuntimeError for that of a disabled scaler."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.")
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale.fill_(state_dict["scale"])  # type: ignore[attr-defined]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._growth_tracker is not None:
            self._growth_tracker.fill_(state_dict["_growth_tracker"])  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            assert not self._per_optimizer_states, ("A GradScaler instance may only be pickled at the beginning of an iteration, or at the end "
                                                    "after scaler.update().")
            state.update(_init_scale=self.get_scale(), _init_growth_tracker=self._get_growth_tracker(), _scale=None, _growth_tracker=None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
