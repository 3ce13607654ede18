"""Linear algebra is held to one core while anybody asks for it, and let go afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from churnguard.training.one_core import one_core


def cores() -> list[int]:
    np.zeros(2) @ np.zeros(2)
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_the_limit_falls_with_the_last_one_who_leaves():
    """Fits run side by side: the first that is done must not change the others' bits."""
    before = cores()
    first, second = one_core(), one_core()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(cores()) == {1}
    second.__exit__(None, None, None)
    assert cores() == before
