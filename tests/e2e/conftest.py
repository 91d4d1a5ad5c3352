"""A real browser; without one these tests say so, and CI does not accept that."""

import os
import shutil

import pytest

os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's own loop runs in this thread

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")  # its loop runs in this thread: later tests need the thread free
def chromium():
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        if os.environ.get("SHADOWEVAL_REQUIRE_BROWSER"):
            pytest.fail("no Chromium found, and SHADOWEVAL_REQUIRE_BROWSER is set")
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, service):
    """Open a page as somebody; any error in the page fails the test."""
    contexts, errors = [], []

    def open_as(user, password="pw-for-tests", **options):
        context = chromium.new_context(base_url=service, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto("/login/")
        page.fill("#id_username", user)
        page.fill("#id_password", password)
        page.click("text=Log in >> nth=-1")
        page.wait_for_url(lambda url: "/login/" not in url)
        return page

    open_as.errors = errors  # for a test that provokes some
    yield open_as
    for context in contexts:
        context.close()
    assert errors == []
