"""The API's page in a real browser, under the strict content security policy."""

import pytest

pytestmark = pytest.mark.browser


def operations(page):
    """Of the document that the page is drawn from: each method of each path."""
    paths = page.request.get("/api/v1/openapi.json").json()["paths"]
    return sum(
        len(methods.keys() & {"get", "post", "put", "patch", "delete"})
        for methods in paths.values()
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_renders_without_an_error_and_tries_calls_with_a_key(
    chromium, service, api_key, scheme
):
    context = chromium.new_context(base_url=service, color_scheme=scheme)
    page, errors, asked = context.new_page(), [], []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: asked.append(r.url))
    page.goto("/api/v1/docs")
    page.wait_for_selector("text=List requests, newest first")
    assert page.locator(".opblock").count() == operations(page)
    assert page.evaluate("document.documentElement.classList.contains('dark-mode')") == (
        scheme == "dark"
    )
    page.click("button.authorize")
    page.fill(".auth-container input >> nth=0", api_key)
    page.click(".auth-btn-wrapper button.authorize >> nth=0")
    page.click(".btn-done")
    page.click("text=List requests, newest first")
    page.click("text=Try it out")
    page.click("button.execute")
    page.wait_for_selector(".live-responses-table .response >> text=200")
    assert "next_cursor" in page.inner_text(
        ".live-responses-table .response .response-col_description"
    )
    context.close()
    assert [url for url in asked if not url.startswith((service, "data:"))] == []
    assert errors == []
