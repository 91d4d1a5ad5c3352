"""Every command and snippet of the documents runs, page by page, against the real service.

Pages of which a block takes long are slow tests, the others share one service. Of commands that are
only read, since they need what no clone has, the arguments are parsed.
"""

import ast
import re
import shlex
from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, get_commands, load_command_class
from django.db import connection

from routing import indexing
from routing.indexes import shelf
from tests.docs import blocks

PAGES = blocks.runnable()
#: Pages with a block that loads models or data frames in a process of its own.
HEAVY = ("README.md", "docs/guides/client.md", "docs/guides/train.md")
READ_COMMAND = re.compile(r"manage\.py (\w+)((?: +[^\s#]+)*)")


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


def run(page, shell):
    shell.begin()
    for block in PAGES[page]:
        shell.run(block)
        work()


def test_all_of_every_page_runs(shell):
    for page in PAGES:
        if page not in HEAVY:
            run(page, shell)


@pytest.mark.slow
@pytest.mark.parametrize("page", HEAVY)
def test_all_of_a_heavy_page_runs(page, shell):
    run(page, shell)


def imported(code):
    """Return the modules that a block imports, in its functions, too."""
    nodes = list(ast.walk(ast.parse(code)))
    named = [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
    return [*named, *(node.module for node in nodes if isinstance(node, ast.ImportFrom))]


def test_what_blocks_import_is_installed():
    code = [one for page in PAGES.values() for one in page if one.language == "python"]
    assert [
        f"{one.page}:{one.line} {module}"
        for one in code
        for module in imported(one.code)
        if find_spec(module.partition(".")[0]) is None
    ] == []


def parsed(command):
    """Parse the arguments of a command as it would; their files need not be there."""
    name, arguments = command
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    parser.parse_args(shlex.split(arguments))


def test_commands_that_are_only_read_would_start():
    read = [one for page in blocks.PAGES for one in blocks.of(page) if one.language == "text"]
    commands = [found for one in read for found in READ_COMMAND.findall(one.code)]
    assert len(commands) > 10
    for command in commands:
        parsed(command)


@pytest.mark.parametrize("command", [("nowhere", ""), ("forget", " --nobody x")])
def test_a_command_that_would_not_start_is_found(command):
    with pytest.raises((KeyError, CommandError)):
        parsed(command)


def test_every_fence_says_what_it_is():
    assert [
        f"{one.page}:{one.line} {one.language!r}"
        for page in blocks.PAGES
        for one in blocks.of(page)
        if one.language not in blocks.RUN | blocks.READ
    ] == []


def test_a_block_that_fails_is_found(shell):
    with pytest.raises(AssertionError, match=r"page\.md:3 failed"):
        shell.run(blocks.Block("page.md", 3, "sh", "false\ntrue\n"))
    with pytest.raises(AssertionError, match="404"):
        shell.run(blocks.Block("page.md", 3, "sh", "curl -sS $SHADOWEVAL_URL/api/v1/nowhere\n"))
    with pytest.raises(AssertionError, match="nowhere"):
        shell.run(blocks.Block("page.md", 3, "sh", "make nowhere\n"))
    with pytest.raises(NameError):
        shell.run(blocks.Block("page.md", 3, "python", "nowhere()\n"))
