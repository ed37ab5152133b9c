"""`TorchVersion`: a string that compares as a version does (PEP 440), so that `torch.__version__ >= "2.8"` is right."""
from __future__ import annotations

import re
from typing import Any, Iterable

from .version import __version__ as _torch_release

_PEP440 = re.compile(r"""
    v? (?: (?P<epoch>\d+) ! )?
    (?P<release> \d+ (?:\.\d+)* )
    (?: [-_.]? (?P<pre>alpha|a|beta|b|preview|pre|c|rc) [-_.]? (?P<pre_n>\d*) )?
    (?: -(?P<post_implicit>\d+) | [-_.]? (?P<post>post|rev|r) [-_.]? (?P<post_n>\d*) )?
    (?: [-_.]? (?P<dev>dev) [-_.]? (?P<dev_n>\d*) )?
    (?: \+ (?P<local> [a-z0-9]+ (?:[-_.][a-z0-9]+)* ) )?
""", re.VERBOSE | re.IGNORECASE)

_PRE_ORDER = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_BEFORE, _AFTER = (-1,), (3,)  # sort before and after every (0..2, number)


def version_key(text: str) -> tuple:
    """A tuple that sorts as PEP 440 orders versions. ValueError if `text` is not one."""
    match = _PEP440.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"Invalid version: {text!r}")
    release = [int(n) for n in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:  # 2.0 equals 2.0.0
        release.pop()
    has_post = match["post"] or match["post_implicit"]
    if match["pre"]:
        pre: tuple = (_PRE_ORDER[match["pre"].lower()], int(match["pre_n"] or 0))
    else:  # 1.dev0 < 1a0 < 1 < 1.post0
        pre = _BEFORE if match["dev"] and not has_post else _AFTER
    post = (1, int(match["post_implicit"] or match["post_n"] or 0)) if has_post else _BEFORE
    dev = (int(match["dev_n"] or 0),) if match["dev"] else (float("inf"),)
    local = tuple((1, int(part), "") if part.isdigit() else (0, 0, part.lower())
                  for part in re.split("[-_.]", match["local"] or "") if part)
    return int(match["epoch"] or 0), tuple(release), pre, post, dev, local


class TorchVersion(str):
    """A version string that compares by PEP 440 with strings, sequences such as (2, 6), and `packaging`'s `Version`.

    With a string that is no version it compares as text.
    """

    def _keys(self, other: Any) -> tuple[Any, Any] | None:
        if isinstance(other, Iterable) and not isinstance(other, str):
            other = ".".join(str(part) for part in other)
        elif not isinstance(other, str) and not hasattr(other, "release"):  # packaging's Version has
            return None
        try:
            return version_key(self), version_key(str(other))
        except ValueError:
            return (str(self), other) if isinstance(other, str) else None

    def __eq__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] == keys[1]

    def __ne__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] != keys[1]

    def __lt__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] < keys[1]

    def __le__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] <= keys[1]

    def __gt__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] > keys[1]

    def __ge__(self, other: Any) -> bool:
        keys = self._keys(other)
        return NotImplemented if keys is None else keys[0] >= keys[1]

    __hash__ = str.__hash__


__version__ = TorchVersion(_torch_release)
