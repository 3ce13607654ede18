"""The desk: the pages on which a retention manager works, in English and Hebrew."""

from __future__ import annotations

from churnguard.serving.desk.desk import mount_desk

__all__ = ["mount_desk"]
