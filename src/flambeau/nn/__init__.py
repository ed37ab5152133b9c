"""`torch.nn`: modules, layers, losses, initial values, and the functions behind them."""
# ruff: noqa: F401, F403
from . import attention, functional, grad, init, modules, parallel, parameter, utils
from .modules import *
from .parallel import DataParallel
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter


def factory_kwargs(kwargs):
    """The arguments `device`, `dtype` and `memory_format` of a layer, from its `factory_kwargs` dict or given one by
    one.

    For layers that pass them on to their parts. Errors: TypeError for other names, or one that is given both ways.
    """
    if kwargs is None:
        return {}
    names = {"device", "dtype", "memory_format"}
    if kwargs.keys() - names - {"factory_kwargs"}:
        raise TypeError(f"unexpected kwargs {kwargs.keys() - names - {'factory_kwargs'}}")
    given = dict(kwargs.get("factory_kwargs", {}))
    if given.keys() - names:
        raise TypeError(f"unexpected kwargs {given.keys() - names}")
    for name in names & kwargs.keys():
        if name in given:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        given[name] = kwargs[name]
    return given
