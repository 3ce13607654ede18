"""Bands begin where the settings say."""

from __future__ import annotations

import numpy as np

from churnguard.policy.bands import bands


def test_a_risk_on_the_border_is_in_the_higher_band():
    """Nobody falls between two bands."""
    risks = np.array([0.0, np.nextafter(0.33, 0), 0.33, np.nextafter(0.66, 0), 0.66, 1.0])
    expected = ["low", "low", "medium", "medium", "high", "high"]
    assert bands(risks, (0.33, 0.66)) == expected
    assert [bands(risks[i : i + 1], (0.33, 0.66))[0] for i in range(6)] == expected
