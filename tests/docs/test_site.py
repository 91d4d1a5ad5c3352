"""The site builds without a warning and without the network, and its generated pages are whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docsite import client, commands, hooks, picture, rest, settings
from tests.docs.blocks import ROOT

_FETCHED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="?(?:https?:)?//'
    r'|<link[^>]+rel="?(?:stylesheet|preconnect|preload|icon)"?[^>]+href="?(?:https?:)?//'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, timeout=200,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.mark.slow
def test_it_builds_without_a_warning(site):
    assert len(list(site.rglob("*.html"))) > 60


@pytest.mark.slow
def test_a_reader_fetches_nothing_from_elsewhere(site):
    pages = {page: page.read_text() for page in site.rglob("*.html")}
    assert [str(page) for page, text in pages.items() if _FETCHED.search(text)] == []
    assert (site / "search" / "search_index.js").exists()  # searched from the disk, too


def test_every_command_is_on_its_page():
    text = commands.page()
    ours = [path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")]
    assert ours
    assert [name for name in ours if f"### {name}\n" not in text] == []
    assert "| `make docs` |" in text


def test_every_setting_is_explained():
    meanings = settings.told()
    assert [name for name in settings.exampled() if name not in meanings] == []


def test_every_call_is_on_its_page():
    text = rest.page()
    for call in ("POST /v1/messages", "POST /api/v1/pairs", "GET /api/v1/studies/{study_id}/curve"):
        assert f"`{call}`" in text
    assert "| `query` | string |" in text


def test_the_client_is_on_its_page():
    assert "### import_pairs" in client.page()


def test_lists_begin_where_github_begins_them():
    assert hooks.spaced("Two:\n- a\n- b\nend") == "Two:\n\n- a\n- b\nend"
    assert hooks.spaced("```\nx\n- a\n```") == "```\nx\n- a\n```"


def test_the_picture_shows_what_the_page_says():
    played = picture.play(20)
    assert played.broken("naive") > 0.3
    assert played.broken("certified") < 0.2
    drawn = len({one.harm for one in played.naive}) + len({one.harm for one in played.certified})
    assert picture.svg(played).count('class="bar"') == drawn


def test_every_picture_of_the_documents_is_there():
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            assert (Path(page).parent / name).exists(), f"{page}: {name}"
