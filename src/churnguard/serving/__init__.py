"""The HTTP door: the API, and the desk's pages, over one shop and its champion."""

from __future__ import annotations

from churnguard.serving.app import create_app

__all__ = ["create_app"]
