"""Networks that give what is computed on the way: `create_feature_extractor(model, {"layer3": "features"})`.

A node is a call of a module: its path in the model, with `_1`, `_2`, … for further calls of the same module; a path of
a container stands for what the container gives. Results of functions between modules (`add`, `flatten`) are not nodes:
the model runs as it is, with hooks, and no graph of it is made.
"""
from __future__ import annotations

import copy
import inspect
import warnings
from collections import OrderedDict
from typing import Any, Callable

from ... import get_rng_state, no_grad, set_rng_state, zeros
from ... import nn
from ...nn import Module

__all__ = ["create_feature_extractor", "get_graph_node_names"]

Observer = Callable[[str, Any, bool], None]  # (node's name, its value, whether it is a leaf)


class _Done(Exception):
    """All that is wanted has been computed."""


def _is_leaf(module: Module) -> bool:
    """Whether a module is a node and what is inside it is not: PyTorch's layers and torchvision's blocks."""
    homes = [cls.__module__.replace("torchvision", "flambeau.vision") for cls in type(module).__mro__]
    if any(home.startswith("flambeau.vision.ops") for home in homes):
        return True
    home = homes[0].replace("torch.", "flambeau.")  # as the import hook presents it
    return home.startswith("flambeau.nn") and not isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))


def _run(model: Module, args: tuple, kwargs: dict, observe: Observer) -> Any:
    """model(*args, **kwargs), during which `observe` hears of every node as it is computed."""
    calls: dict[str, int] = {}
    inside: list[Module] = []  # the leaf that is running, whose parts are no nodes
    handles = []

    def before(module, _):
        if not inside and _is_leaf(module):
            inside.append(module)

    def after(path):
        def hook(module, _, output):
            leaf = bool(inside) and inside[-1] is module
            if inside and not leaf:
                return
            if leaf:
                inside.pop()
                count = calls[path] = calls.get(path, -1) + 1
                observe(path if count == 0 else f"{path}_{count}", output, True)
            else:
                observe(path, output, False)
        return hook

    try:
        for path, module in model.named_modules():
            if path:
                handles.append(module.register_forward_pre_hook(before))
                handles.append(module.register_forward_hook(after(path)))
        return model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()


def get_graph_node_names(model: Module, tracer_kwargs: dict[str, Any] | None = None,
                         suppress_diff_warning: bool = False,
                         concrete_args: dict[str, Any] | None = None) -> tuple[list[str], list[str]]:
    """The names of a model's nodes in the order of computation: (while training, while evaluating).

    concrete_args: arguments of the model's forward by name; by default one image, clip or vector of zeros that its
    first layer can take. A warning says where the two lists differ. tracer_kwargs is accepted.
    """
    names = []
    for training in (True, False):
        probe = copy.deepcopy(model).train(training)  # running it would change statistics
        found = [next(iter(inspect.signature(model.forward).parameters))]
        state = get_rng_state()
        with no_grad():
            args = (_example(model),) if concrete_args is None else ()
            _run(probe, args, concrete_args or {}, lambda name, _, leaf, found=found: leaf and found.append(name))
        set_rng_state(state)
        names.append(found)
    if names[0] != names[1] and not suppress_diff_warning:
        warnings.warn("NOTE: The nodes obtained by tracing the model in eval mode are different from those in train "
                      "mode. Pass train_return_nodes and eval_return_nodes to create_feature_extractor where they "
                      "matter.", stacklevel=2)
    return names[0], names[1]


def _example(model: Module) -> Any:
    """Zeros that the model's first layer can take; nothing is computed with them."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            return zeros(1, module.in_channels, 16, 112, 112)
        if isinstance(module, nn.Conv2d):
            size = getattr(model, "image_size", 224)
            return zeros(1, module.in_channels, size, size)
        if isinstance(module, nn.Conv1d):
            return zeros(1, module.in_channels, 256)
        if isinstance(module, nn.Linear):
            return zeros(1, module.in_features)
    raise ValueError("cannot guess the model's input: pass concrete_args={name: value, …}")


class FeatureExtractor(Module):
    """A model that gives a dict of nodes; the modules are the model's own. Made by `create_feature_extractor`."""

    def __init__(self, model: Module, train_nodes: dict[str, str], eval_nodes: dict[str, str]) -> None:
        super().__init__()
        self.__dict__["_model"] = model  # not a submodule: the state_dict keeps the model's keys
        for name, parameter in model._parameters.items():
            self.register_parameter(name, parameter)
        for name, buffer in model._buffers.items():
            self.register_buffer(name, buffer, persistent=name not in model._non_persistent_buffers_set)
        for name, module in model._modules.items():
            self.add_module(name, module)
        self.train_nodes, self.eval_nodes = train_nodes, eval_nodes
        self.training = model.training

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        wanted = self.train_nodes if self.training else self.eval_nodes
        found: dict[str, Any] = {}

        def observe(name: str, value: Any, leaf: bool) -> None:
            if name in wanted:
                found[name] = value
                if len(found) == len(wanted):
                    raise _Done

        training, self._model.training = self._model.training, self.training
        try:
            _run(self._model, args, kwargs, observe)
        except _Done:
            pass
        finally:
            self._model.training = training
        missing = [name for name in wanted if name not in found]
        if missing:
            raise ValueError(_absent(missing[0]))
        return {wanted[name]: value for name, value in found.items()}


def _absent(name: str) -> str:
    return (f"node: '{name}' is not present in model. Hint: use `get_graph_node_names` to make sure the "
            "`return_nodes` you specified are present. It may even be that you need to specify `train_return_nodes` "
            "and `eval_return_nodes` separately.")


def create_feature_extractor(model: Module, return_nodes: list[str] | dict[str, str] | None = None,
                             train_return_nodes: list[str] | dict[str, str] | None = None,
                             eval_return_nodes: list[str] | dict[str, str] | None = None,
                             tracer_kwargs: dict[str, Any] | None = None, suppress_diff_warning: bool = False,
                             concrete_args: dict[str, Any] | None = None) -> FeatureExtractor:
    """A module that takes the model's input and gives the values of nodes: {name in the result: value}.

    return_nodes: names of nodes, or a dict from those to names in the result; or one such for each mode.
    What comes after the last wanted node is not computed. Errors: ValueError for a node that is not in the model.
    The other arguments are accepted.
    """
    if all(nodes is None for nodes in (return_nodes, train_return_nodes, eval_return_nodes)):
        raise ValueError("Either `return_nodes` or `train_return_nodes` and `eval_return_nodes` together, should be "
                         "specified")
    if (train_return_nodes is None) != (eval_return_nodes is None):
        raise ValueError("If any of `train_return_nodes` and `eval_return_nodes` are specified, then both should be "
                         "specified")
    if (return_nodes is None) == (train_return_nodes is None):
        raise ValueError("If `train_return_nodes` and `eval_return_nodes` are specified, then both should be "
                         "specified")
    both = [return_nodes, return_nodes] if return_nodes is not None else [train_return_nodes, eval_return_nodes]
    paths = [path for path, _ in model.named_modules() if path]
    train, evaluate = (OrderedDict(nodes) if isinstance(nodes, dict) else OrderedDict((n, n) for n in nodes or ())
                       for nodes in both)
    for name in [*train, *evaluate]:
        stem, _, count = name.rpartition("_")
        if name not in paths and not (stem in paths and count.isdigit()):
            raise ValueError(_absent(name))
    return FeatureExtractor(model, dict(train), dict(evaluate))
