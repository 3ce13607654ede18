"""The HTTP door: the API, and the desk's pages, over one shop and its champion."""

from __future__ import annotations

from churnguard.serving.app import create_app
from churnguard.serving.shop_app import app_for

__all__ = ["app_for", "create_app"]
