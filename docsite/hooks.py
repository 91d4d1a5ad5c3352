"""Hooks of MkDocs: generated pages, folders as navigation, and lists as GitHub reads them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
django.setup()

from mkdocs.config.defaults import MkDocsConfig  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402
from mkdocs.structure.pages import Page  # noqa: E402
from mkdocs.utils import get_relative_url  # noqa: E402

from docsite import client, commands, rest, settings  # noqa: E402

#: Each page is made by a function without arguments.
GENERATED = {
    "reference/rest.md": rest.page,
    "reference/settings.md": settings.page,
    "reference/commands.md": commands.page,
    "reference/client.md": client.page,
}
#: Sections of the navigation that take every page of a folder that is not named elsewhere.
_FOLDERS = {"Guides": "guides", "Benchmarks": "benchmarks", "Decisions": "adr"}
_SHIM, _OURS = "https://unpkg.com/iframe-worker/shim", "assets/frame-worker.js"
_LIST = re.compile(r"([-*]|\d+\.) ")
_FENCE = re.compile(r" *(```|~~~)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the sections that are folders."""
    docs = Path(config.docs_dir)
    named = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    for section in config.nav or []:
        for title, folder in _FOLDERS.items():
            if title in section:
                pages = sorted(docs.glob(f"{folder}/*.md"))
                section[title] += [
                    f"{folder}/{page.name}"
                    for page in pages
                    if f"{folder}/{page.name}" not in named
                ]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, make in GENERATED.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Begin lists that follow a line of text, as GitHub does."""
    return spaced(markdown)


def spaced(markdown: str) -> str:
    r"""Return the text with an empty line before each list that has none.

    Example:
        >>> spaced("Two:\n- one\n- two")
        'Two:\n\n- one\n- two'
    """
    lines: list[str] = []
    is_code = is_list = False
    for line in markdown.split("\n"):
        is_code ^= bool(_FENCE.match(line))
        starts = bool(_LIST.match(line)) and not is_code
        if starts and not is_list and lines and lines[-1].strip():
            lines.append("")
        is_list = starts or (is_list and bool(line.strip()) and not is_code)
        lines.append(line)
    return "\n".join(lines)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Take the script that searches from the disk from here, not from another server."""
    return output.replace(_SHIM, get_relative_url(_OURS, page.url))


def on_post_template(output: str, template_name: str, **_: Any) -> str:
    """Do the same for the page of addresses that are not there."""
    return output.replace(_SHIM, get_relative_url(_OURS, template_name))
