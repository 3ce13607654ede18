"""Trees asked about one row at a time: LightGBM's call for that, prepared once.

``Booster.predict`` looks at what it is given, reads its parameters and makes room for the answer
each time, which takes several times as long as the trees do. The walk through the trees, and so
every bit of the answer, is the same.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT64, _RAW_SCORE = 1, 1
_FROM_THE_FIRST_TREE, _TO_THE_LAST = 0, -1


class OneRow:
    """The raw margin of one row.

    Parameters
    ----------
    booster : lightgbm.Booster
        The trees; kept alive as long as this.
    """

    def __init__(self, booster: Any) -> None:
        from lightgbm.basic import _LIB, _safe_call

        self._booster, self._check = booster, _safe_call
        self._width = booster.num_feature()
        self._prepared = ctypes.c_void_p()
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001 - the only way from the booster to its C API
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(_FROM_THE_FIRST_TREE),
                ctypes.c_int(_TO_THE_LAST),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(self._width),
                b"num_threads=1",
                ctypes.byref(self._prepared),
            )
        )
        # Holds on to the interpreter: letting go for these microseconds costs more than they are.
        library = ctypes.PyDLL(_LIB._name)  # noqa: SLF001
        self._ask = library.LGBM_BoosterPredictForMatSingleRowFast
        self._free = library.LGBM_FastConfigFree

    def margin(self, row: NDArray[np.float64]) -> float:
        """Return the raw log-odds of a row.

        Parameters
        ----------
        row : ndarray of float64, contiguous
            As many values as the trees know columns.

        Raises
        ------
        ValueError
            If there are more or fewer.
        """
        if row.size != self._width or not row.flags.c_contiguous or row.dtype != np.float64:
            raise ValueError(f"One row of {self._width} numbers is wanted, not {row.shape}.")
        answer, length = ctypes.c_double(), ctypes.c_int64()
        self._check(
            self._ask(
                self._prepared,
                ctypes.c_void_p(row.ctypes.data),
                ctypes.byref(length),
                ctypes.byref(answer),
            )
        )
        return answer.value

    def __reduce__(self) -> tuple[type[OneRow], tuple[Any]]:
        """Say how a copy, here or elsewhere, is made: it prepares a call of its own."""
        return OneRow, (self._booster,)

    def __del__(self) -> None:
        if getattr(self, "_free", None) is not None:
            self._free(self._prepared)
