"""Take the pictures of the desk: ``python docs/take_screenshots.py http://127.0.0.1:8000``.

The address must lead to an open desk, as ``churnguard demo`` serves it.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
PICTURES = {"desk.png": "en-US", "desk-he.png": "he-IL"}
LARGEST = 200 * 1024
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the desk is served")
    url = parser.parse_args().url.rstrip("/")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        for name, locale in PICTURES.items():
            take(browser, f"{url}/desk", locale, IMAGES / name)
            take(browser, f"{url}/desk", locale, IMAGES / name.replace("desk", "customer"), True)
        browser.close()


def take(browser: Browser, url: str, locale: str, target: Path, customer: bool = False) -> None:  # noqa: FBT001, FBT002
    """Save one picture: of the list, or of the first customer on it."""
    page = browser.new_page(locale=locale, viewport={"width": 1200, "height": 820})
    page.goto(url)
    if customer:
        page.locator("tbody tr").filter(has_not=page.locator(".held")).locator(
            ".who a"
        ).first.click()
        page.wait_for_url("**/desk/customers/**")
    page.screenshot(path=target, full_page=customer)
    page.close()
    if target.stat().st_size > LARGEST:
        raise SystemExit(f"{target.name} has {target.stat().st_size} bytes; keep it to {LARGEST}.")


if __name__ == "__main__":
    main()
