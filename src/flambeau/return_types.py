"""`torch.return_types`: named tuples of results. `torch.max(x, 0).values`, or by position as any tuple."""
from __future__ import annotations

from typing import Any, Iterable


class Results(tuple):
    """A tuple whose elements are also attributes. Made from one sequence: `return_types.max((values, indices))`."""

    __slots__ = ()
    _names: tuple[str, ...] = ()
    n_fields = n_sequence_fields = 0
    n_unnamed_fields = 0

    def __new__(cls, sequence: Iterable[Any]):
        self = tuple.__new__(cls, sequence)
        if len(self) != cls.n_fields:
            raise TypeError(f"torch.return_types.{cls.__name__}() takes a {cls.n_fields}-sequence "
                            f"({len(self)}-sequence given)")
        return self

    def __repr__(self) -> str:
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._names, self))
        return f"torch.return_types.{type(self).__name__}(\n{fields})"

    def __reduce__(self):
        return type(self), (tuple(self),)


def _field(position: int, name: str) -> property:
    return property(lambda self: self[position], doc=f"Element {position}: `{name}`.")


def _results(name: str, fields: str) -> type[Results]:
    names = tuple(fields.split())
    attributes = {n: _field(i, n) for i, n in enumerate(names)}
    return type(name, (Results,), {"__slots__": (), "__module__": __name__, "__doc__": "The results "
                                                                                       f"({', '.join(names)}) of "
                                                                                       f"`{name}`.",
                                   "_names": names, "__match_args__": names, "n_fields": len(names),
                                   "n_sequence_fields": len(names), **attributes})


aminmax = _results("aminmax", "min max")
cummax = _results("cummax", "values indices")
cummin = _results("cummin", "values indices")
frexp = _results("frexp", "mantissa exponent")
geqrf = _results("geqrf", "a tau")
histogram = _results("histogram", "hist bin_edges")
histogramdd = _results("histogramdd", "hist bin_edges")
kthvalue = _results("kthvalue", "values indices")
linalg_cholesky_ex = _results("linalg_cholesky_ex", "L info")
linalg_eig = _results("linalg_eig", "eigenvalues eigenvectors")
linalg_eigh = _results("linalg_eigh", "eigenvalues eigenvectors")
linalg_inv_ex = _results("linalg_inv_ex", "inverse info")
linalg_ldl_factor = _results("linalg_ldl_factor", "LD pivots")
linalg_ldl_factor_ex = _results("linalg_ldl_factor_ex", "LD pivots info")
linalg_lstsq = _results("linalg_lstsq", "solution residuals rank singular_values")
linalg_lu = _results("linalg_lu", "P L U")
linalg_lu_factor = _results("linalg_lu_factor", "LU pivots")
linalg_lu_factor_ex = _results("linalg_lu_factor_ex", "LU pivots info")
linalg_qr = _results("linalg_qr", "Q R")
linalg_slogdet = _results("linalg_slogdet", "sign logabsdet")
linalg_solve_ex = _results("linalg_solve_ex", "result info")
linalg_svd = _results("linalg_svd", "U S Vh")
lu_unpack = _results("lu_unpack", "P L U")
max = _results("max", "values indices")
median = _results("median", "values indices")
min = _results("min", "values indices")
mode = _results("mode", "values indices")
nanmedian = _results("nanmedian", "values indices")
qr = _results("qr", "Q R")
slogdet = _results("slogdet", "sign logabsdet")
sort = _results("sort", "values indices")
svd = _results("svd", "U S V")
topk = _results("topk", "values indices")
triangular_solve = _results("triangular_solve", "solution cloned_coefficient")

all_return_types = [v for v in list(globals().values()) if isinstance(v, type) and v.__mro__[1:2] == (Results,)]
