"""Write docs/openapi.json anew from the app: ``python docs/refresh_openapi.py``."""

from __future__ import annotations

import json
from pathlib import Path

from churnguard.serving import create_app
from churnguard.testing import FakeChampion, FakeScorer, fake_shop

TARGET = Path(__file__).parent / "openapi.json"


def main() -> None:
    """Write the description."""
    app = create_app(fake_shop(), FakeChampion(), scorer=FakeScorer())
    text = json.dumps(app.openapi(), indent=2, ensure_ascii=False)
    TARGET.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
