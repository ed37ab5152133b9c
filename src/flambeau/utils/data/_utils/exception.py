"""A worker's exception, in a form that its parent can raise."""

from __future__ import annotations

import pickle
import sys
import traceback


class KeyErrorMessage(str):
    """A message whose repr is its text: KeyError prints its argument's repr, which would escape the line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """The class of the exception being handled and its formatted traceback.

    Args:
        exc_info: as of `sys.exc_info()` (default: the exception being handled). It is not kept: its frames hold data.
        where: words for "Caught ValueError …", such as "in DataLoader worker process 2".
    """

    def __init__(self, exc_info: tuple | None = None, where: str = "in background") -> None:
        exc_info = exc_info or sys.exc_info()
        self.exc_type = exc_info[0]
        self.exc_name = exc_info[0].__name__
        self.exc_msg = "".join(traceback.format_exception(*exc_info))
        self.where = where

    def __getstate__(self) -> dict:
        try:
            pickle.dumps(self.exc_type)
        except Exception:  # a class that the other process cannot look up
            return {**self.__dict__, "exc_type": RuntimeError}
        return self.__dict__

    def reraise(self) -> None:
        """Raise an exception of the same class whose message holds the traceback.

        A class that cannot be made from one message is replaced by RuntimeError.
        """
        message = f"Caught {self.exc_name} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            message = KeyErrorMessage(message)
        try:
            if getattr(self.exc_type, "message", None):
                exception = self.exc_type(message=message)
            else:
                exception = self.exc_type(message)
        except Exception:
            exception = RuntimeError(message)
        raise exception from None
