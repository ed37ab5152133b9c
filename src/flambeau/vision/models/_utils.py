"""What the model files share: builders, the arguments of older versions, and networks cut short."""
from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from typing import Any, Callable, Mapping, Optional, TypeVar

from ...nn import Module, ModuleDict
from ._api import WeightsEnum, register_model

V = TypeVar("V")


class IntermediateLayerGetter(ModuleDict):
    """The children of `model` up to the last one wanted; calling it gives an OrderedDict of their outputs.

    `return_layers` maps names of direct children to names in the result. The children run one after the other, so this
    is for models whose forward does just that.
    """

    _version = 2

    def __init__(self, model: Module, return_layers: dict[str, str]) -> None:
        if not set(return_layers) <= {name for name, _ in model.named_children()}:
            raise ValueError("return_layers are not present in model")
        wanted = {str(name) for name in return_layers}
        layers: OrderedDict[str, Module] = OrderedDict()
        for name, child in model.named_children():
            layers[name] = child
            wanted.discard(name)
            if not wanted:
                break
        super().__init__(layers)
        self.return_layers = {str(name): str(shown) for name, shown in return_layers.items()}

    def forward(self, x):
        out = OrderedDict()
        for name, child in self.items():
            x = child(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of `divisor` nearest to v, at least `min_value` (default: divisor) and at least 0.9 v."""
    rounded = max(min_value or divisor, int(v + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * v else rounded


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Sets kwargs[param], which must be absent or already that. ValueError otherwise."""
    kwargs[param] = _ovewrite_value_param(param, kwargs.get(param, new_value), new_value)


def _ovewrite_value_param(param: str, actual: V | None, expected: V) -> V:
    if actual is not None and actual != expected:
        raise ValueError(f"The parameter '{param}' expected value {expected} but got {actual} instead.")
    return expected


def load_weights(model: Module, weights: WeightsEnum, progress: bool) -> None:
    """Downloads (or finds) `weights`, checks their hash and puts them into `model`."""
    model.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))


def classifier(name: str, weights: type[WeightsEnum], network: Callable[..., Module], *,
               legacy: str | None = "IMAGENET1K_V1", defaults: Mapping[str, Any] | None = None,
               settings: Callable[[WeightsEnum, dict[str, Any]], None] | None = None,
               load: Callable[[Module, WeightsEnum, bool], None] = load_weights, **fixed: Any) -> Callable[..., Any]:
    """The builder `name(*, weights=None, progress=True, **kwargs)`, registered: `network(**fixed, **kwargs)`.

    `defaults` are arguments that the caller may override, `fixed` those that he may not. With weights, the number of
    classes is theirs, and `settings(weights, kwargs)` may settle more; `load` puts them into the model.
    `legacy` names the weights that `pretrained=True` stands for.
    """
    def build(*, weights=None, progress=True, **kwargs):
        weights = enum.verify(weights)
        for key, value in fixed.items():
            _ovewrite_named_param(kwargs, key, value)
        if weights is not None:
            _ovewrite_named_param(kwargs, "num_classes", len(weights.meta["categories"]))
            if settings is not None:
                settings(weights, kwargs)
        model = network(**{**(defaults or {}), **kwargs})
        if weights is not None:
            load(model, weights, progress)
        return model

    enum = weights
    build.__name__ = build.__qualname__ = name
    build.__module__ = weights.__module__  # a family's weights and builders are in one file
    build.__annotations__ = {"weights": Optional[weights], "progress": bool, "kwargs": Any}
    shown = getattr(network, "__name__", "network").strip("_")
    build.__doc__ = f"""The network `{name}`.

    weights: a member of {weights.__name__}, its name, or None for random parameters.
    progress: whether a download shows a bar.
    Other arguments go to {shown}.
    """
    return register_model()(handle_legacy_interface(
        weights=("pretrained", enum[legacy] if legacy is not None else None))(build))


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Callable[..., V]], Callable[..., V]]:
    """Lets a builder take the arguments of before torchvision 0.13, with a warning.

    `weights=("pretrained", X)`: `pretrained=True` and `weights=True` mean `weights=X`; X may be a function of the
    keyword arguments. Positional arguments are taken for keyword-only ones.
    """
    def outer(builder: Callable[..., V]) -> Callable[..., V]:
        names = list(inspect.signature(builder).parameters)

        @functools.wraps(builder)
        def inner(*args: Any, **kwargs: Any) -> V:
            kwargs = {**_by_name(names, args), **kwargs}
            for parameter, (old, default) in weights.items():
                _translate(builder.__name__, kwargs, parameter, old, default)
            return builder(**kwargs)

        return inner

    return outer


def _by_name(names: list[str], args: tuple) -> dict[str, Any]:
    """Positional arguments as keyword arguments."""
    if not args:
        return {}
    given = [repr(name) for name in names[:len(args)]]
    listed = ", ".join(given[:-1]) + " and " * (len(given) > 1) + given[-1]
    warnings.warn(f"Using {listed} as positional parameter(s) is deprecated since 0.13 and may be removed in the "
                  "future. Please use keyword parameter(s) instead.", stacklevel=3)
    return dict(zip(names, args))


def _translate(builder: str, kwargs: dict[str, Any], parameter: str, old: str, default: Any) -> None:
    """Puts weights in place of a truth value for kwargs[parameter], which may be there under its old name."""
    if parameter in kwargs and (kwargs[parameter] is None or isinstance(kwargs[parameter], (WeightsEnum, str))):
        return
    if parameter not in kwargs and old not in kwargs:
        return
    value = kwargs.get(old, kwargs.get(parameter))
    if callable(default) and not isinstance(default, WeightsEnum):
        default = default({old: value, **kwargs})
    chosen = default if value else None
    if value and chosen is None:
        raise ValueError(f"No weights available for model {builder}")
    if old in kwargs:
        warnings.warn(f"The parameter '{old}' is deprecated since 0.13 and may be removed in the future, please use "
                      f"'{parameter}' instead.", stacklevel=4)
        del kwargs[old]
    message = (f"Arguments other than a weight enum or `None` for '{parameter}' are deprecated since 0.13 and may be "
               f"removed in the future. The current behavior is equivalent to passing `{parameter}={chosen!r}`.")
    if chosen is not None:
        message += (f" You can also use `{parameter}={type(chosen).__name__}.DEFAULT` to get the most up-to-date "
                    "weights.")
    warnings.warn(message, stacklevel=4)
    kwargs[parameter] = chosen
