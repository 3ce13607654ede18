"""The one way in which JSON leaves: orjson, full double precision, NaN never."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


class Json(Response):
    """A JSON answer.

    Examples
    --------
    >>> Json({"churn_risk": 0.1 + 0.2}).body
    b'{"churn_risk":0.30000000000000004}'
    """

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the content as UTF-8 JSON."""
        return orjson.dumps(content)
