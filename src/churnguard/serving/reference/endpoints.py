"""``/docs``."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["reference"], include_in_schema=False)
