"""Take the pictures of the pages, from a service that runs with the demo in it.

Run: .venv/bin/python -m docsite.screenshots [address] [first-start.txt]
after `make run` and `make demo`. It rates nothing and signs nothing.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from docsite.paths import DOCS, ROOT

_DEMO = "demo-support-desk"
#: Name, who looks, address, what is clicked when it is there, height in pixels.
PICTURES = (
    ("overview", "admin", "/overview/", "", 760),
    ("curve", "engineer", "/threshold/", "", 1400),
    ("rating", "rater", "/rate/", "text=I have read this", 900),
    ("signoff", "engineer", "/signoffs/", "main a[href^='/signoffs/']", 900),
)


def main(address: str, logins: Path) -> None:
    """Write every picture into docs/images."""
    passwords = dict(re.findall(r"^ {2}(\w+) +(\S+) +\(", logins.read_text(), re.MULTILINE))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, user, path, clicked, height in PICTURES:
            page = _logged_in(browser, address, user, passwords[user], height)
            _show(page, f"{path}?project={_DEMO}", clicked)
            page.screenshot(path=DOCS / "images" / f"{name}.png")
            page.context.close()
        browser.close()


def _logged_in(browser: Browser, address: str, user: str, password: str, height: int) -> Page:
    page = browser.new_context(
        base_url=address, viewport={"width": 1240, "height": height}, color_scheme="light"
    ).new_page()
    page.set_default_timeout(60_000)
    page.goto("/login/")
    page.fill("#id_username", user)
    page.fill("#id_password", password)
    page.click("text=Log in >> nth=-1")
    page.wait_for_url(lambda url: "/login/" not in url)
    return page


def _show(page: Page, path: str, clicked: str) -> None:
    page.goto(path)
    if clicked and page.locator(clicked).count():
        page.click(f"{clicked} >> nth=0")
    page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    main(
        given.get(0, "http://127.0.0.1:8000"),
        Path(given.get(1, str(ROOT / "var" / "first-start.txt"))),
    )
