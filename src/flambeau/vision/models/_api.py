"""The registry of models and the enums of published weights."""
from __future__ import annotations

import fnmatch
import inspect
import sys
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any, Callable, Iterable, Mapping, TypeVar, get_args, get_type_hints

from ...hub import load_state_dict_from_url
from ...nn import Module

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight",
           "list_models", "register_model"]

M = TypeVar("M", bound=Module)

BUILTIN_MODELS: dict[str, Callable[..., Module]] = {}
_PACKAGES: dict[str, str] = {}  # model name → the package of its builder, for list_models(module)


@dataclass
class Weights:
    """One set of published weights: where they are, what their inputs go through, and what is known about them.

    Attributes: url; transforms, a callable that makes the preprocessing; meta, a dict with `num_params`, `min_size`,
    `categories`, `recipe` and the like.
    """

    url: str
    transforms: Callable
    meta: dict[str, Any]

    def __eq__(self, other: Any) -> bool:
        # partial objects compare by identity: two that call the same thing with the same arguments are the same here
        return isinstance(other, Weights) and all(
            _comparable(getattr(self, field.name)) == _comparable(getattr(other, field.name)) for field in fields(self))


def _comparable(value: Any) -> Any:
    return (value.func, value.args, value.keywords) if isinstance(value, partial) else value


class WeightsEnum(Enum):
    """The weights published for one model: members are `Weights`, whose attributes they pass on."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """`obj` as a member: a member itself, its name ("DEFAULT", "ResNet50_Weights.DEFAULT"), or None.

        Errors: TypeError for another model's weights, KeyError for an unknown name.
        """
        if obj is None or isinstance(obj, cls):
            return obj
        if isinstance(obj, str):
            return cls[obj.replace(cls.__name__ + ".", "")]
        raise TypeError(f"Invalid Weight class provided; expected {cls.__name__} but received "
                        f"{type(obj).__name__}.")

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        """Downloads (or finds in the cache) and loads the weights; arguments as of `hub.load_state_dict_from_url`."""
        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name_}"

    @property
    def url(self) -> str:
        return self.value.url

    @property
    def transforms(self) -> Callable:
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        return self.value.meta


def get_weight(name: str) -> WeightsEnum:
    """The weights with the full name "ResNet50_Weights.IMAGENET1K_V2". ValueError if there is no such enum."""
    try:
        enum_name, member = name.split(".")
    except ValueError:
        raise ValueError(f"Invalid weight name provided: '{name}'.") from None
    package = sys.modules[__name__.rpartition(".")[0]]
    packages = [package, *(m for m in vars(package).values() if isinstance(m, ModuleType) and hasattr(m, "__path__"))]
    for place in packages:
        weights = vars(place).get(enum_name)
        if isinstance(weights, type) and issubclass(weights, WeightsEnum):
            return weights[member]
    raise ValueError(f"The weight enum '{enum_name}' for the specific method couldn't be retrieved.")


def get_model_weights(name: Callable | str) -> type[WeightsEnum]:
    """The weights enum of a model, named or given by its builder."""
    return _get_enum_from_fn(get_model_builder(name) if isinstance(name, str) else name)


def _get_enum_from_fn(fn: Callable) -> type[WeightsEnum]:
    """The enum that the annotation of the builder's parameter `weights` names."""
    if "weights" not in inspect.signature(fn).parameters:
        raise ValueError("The method is missing the 'weights' argument.")
    hint = get_type_hints(fn).get("weights")
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, WeightsEnum):
            return kind
    raise ValueError("The WeightsEnum class for the specific method couldn't be retrieved. Make sure the typing info "
                     "is correct.")


def register_model(name: str | None = None) -> Callable[[Callable[..., M]], Callable[..., M]]:
    """A decorator that makes a builder known to `get_model` and `list_models` as `name` (default: its own)."""
    def wrapper(fn: Callable[..., M]) -> Callable[..., M]:
        key = name if name is not None else fn.__name__
        if key in BUILTIN_MODELS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        BUILTIN_MODELS[key] = fn
        _PACKAGES[key] = fn.__module__.rpartition(".")[0]
        return fn

    return wrapper


def list_models(module: ModuleType | None = None, include: Iterable[str] | str | None = None,
                exclude: Iterable[str] | str | None = None) -> list[str]:
    """The names of the registered models, sorted: those of a package, those that match a pattern of `include` and
    none of `exclude` (shell patterns such as "resnet*")."""
    def matches(key: str, patterns: Iterable[str] | str) -> bool:
        return any(fnmatch.fnmatch(key, p) for p in ([patterns] if isinstance(patterns, str) else patterns))

    included, excluded = include or "*", exclude or ()
    return sorted(key for key in BUILTIN_MODELS if (module is None or _PACKAGES[key] == module.__name__)
                  and matches(key, included) and not matches(key, excluded))


def get_model_builder(name: str) -> Callable[..., Module]:
    """The function that makes the model `name`. ValueError if no model has that name."""
    try:
        return BUILTIN_MODELS[name.lower()]
    except KeyError:
        raise ValueError(f"Unknown model {name}") from None


def get_model(name: str, **config: Any) -> Module:
    """Makes the model `name`: `get_model("resnet18", weights="DEFAULT")`."""
    return get_model_builder(name)(**config)
