"""Every command and snippet of the documents runs, page by page, against the real service."""

from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from routing import indexing
from routing.indexes import shelf
from tests.docs import blocks

PAGES = blocks.runnable()


def work():
    """Do what the indexer does."""
    while indexing.run_due():
        pass
    shelf.refresh()


def database_url():
    """Return the URL of this run's database, for processes of their own."""
    parts = urlsplit(blocks.os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


@pytest.fixture
def shell(service, api_key, tmp_path, monkeypatch):
    shell = blocks.Shell(tmp_path, service, api_key, database_url())
    for name in ("SHADOWEVAL_URL", "SHADOWEVAL_API_KEY"):
        monkeypatch.setenv(name, shell.env[name])
    monkeypatch.chdir(tmp_path)
    return shell


@pytest.mark.parametrize("page", PAGES)
def test_all_of_a_page_runs(page, shell):
    for block in PAGES[page]:
        shell.run(block)
        work()


@pytest.mark.parametrize("page", blocks.PAGES, ids=lambda page: str(page.relative_to(blocks.ROOT)))
def test_every_fence_says_what_it_is(page):
    unknown = [
        f"{one.page}:{one.line} {one.language!r}"
        for one in blocks.of(page)
        if one.language not in blocks.RUN | blocks.READ
    ]
    assert not unknown


def test_a_block_that_fails_is_found(shell):
    with pytest.raises(AssertionError, match=r"page\.md:3 failed"):
        shell.run(blocks.Block("page.md", 3, "sh", "false\ntrue\n"))
    with pytest.raises(AssertionError, match="404"):
        shell.run(blocks.Block("page.md", 3, "sh", "curl -sS $SHADOWEVAL_URL/api/v1/nowhere\n"))
    with pytest.raises(AssertionError, match="nowhere"):
        shell.run(blocks.Block("page.md", 3, "sh", "make nowhere\n"))
    with pytest.raises(NameError):
        shell.run(blocks.Block("page.md", 3, "python", "nowhere()\n"))
