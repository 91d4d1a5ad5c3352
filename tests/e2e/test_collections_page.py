"""The pages of collections: an upload watched to its end, and readable at any width."""

import json
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from reviews import permissions
from routing import collections, indexes, indexing
from routing.embedders import ids
from tests.e2e.looks import LOOKS

pytestmark = pytest.mark.browser

LINES = "\n".join(
    json.dumps({"id": f"faq/{n}", "title": f"Title {n}", "text": f"Invoice {n} is due. " * 30})
    for n in range(3)
).encode()


def in_thread(work):
    """Run database work beside Playwright's loop."""

    def run():
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@LOOKS
def test_a_file_is_uploaded_watched_and_searched(visit, project, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    permissions.ensure_roles()
    permissions.give(User.objects.create_user("ada", password="pw-for-tests"), "lead")
    handbook = collections.create(project, "handbook", embedder=ids.STATIC)
    page = visit(
        "ada", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )

    def looks_well():
        report = Axe().run(page)
        assert report.violations_count == 0, report.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto("/collections/")
    looks_well()
    page.click("text=handbook >> nth=0")
    page.set_input_files("#file", {"name": "faq.jsonl", "mimeType": "text/plain", "buffer": LINES})
    page.click("button:text-is('Upload')")
    page.wait_for_selector("text=waiting")
    looks_well()
    in_thread(lambda: indexing.work(handbook.uploads.get().pk))
    page.wait_for_selector("text=Made version 1.")  # without a reload
    assert page.locator("#versions tbody tr").count() == 1
    page.click("text=Documents >> nth=0")
    looks_well()
    page.click("text=faq/1")
    looks_well()
    in_thread(indexes.shelf.refresh)
    page.click("text=Try a query")
    page.fill("#query", "Which invoice is due?")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Auto takes")
    assert page.locator(".tried > section").count() == 3
    looks_well()
