"""Fenced blocks of the documents, and how each kind is run."""

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
#: What a fence may be called. Those that run, and those that are only read.
RUN, READ = {"sh", "python"}, {"text", "yaml", "xml", "json", "nginx", "ini", "toml"}
_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
#: A curl that fails when the service refuses, and a make that only says what it would do: what the
#: targets start has tests of its own.
_SHIMS = {
    "curl": 'exec {curl} --fail-with-body --max-time 30 "$@"',
    "make": 'exec {make} --dry-run "$@" > /dev/null',
}
_SECONDS = 240


@dataclass(frozen=True)
class Block:
    """A fenced block: where, what it is, and what is in it."""

    page: str
    line: int
    language: str
    code: str


def of(page):
    """Return the blocks of a page, without the indentation of a list around them."""
    text, found = page.read_text(), []
    for fence in _FENCE.finditer(text):
        indent, language, code = fence.groups()
        line = text.count("\n", 0, fence.start()) + 1
        plain = re.sub(f"^{indent}", "", code, flags=re.MULTILINE)
        found.append(Block(str(page.relative_to(ROOT)), line, language.strip(), plain))
    return found


def runnable():
    """Return the pages that have something to run, by name."""
    blocks = {page: [one for one in of(page) if one.language in RUN] for page in PAGES}
    return {found[0].page: found for found in blocks.values() if found}


class Shell:
    """Runs blocks against a service, as somebody would who reads the page.

    Args:
        folder: where Python blocks may write.
        service: its address; documents write `http://127.0.0.1:8000`.
        key: documents write `sk-shadow-…`.
        database: URL that management commands use.
    """

    def __init__(self, folder, service, key, database):
        self._service, self._key = service, key
        self._first = {
            **os.environ,
            "PATH": f"{_shims(folder)}:{os.environ['PATH']}",
            "DATABASE_URL": database,
            "PYTHONPATH": str(ROOT),
            "SHADOWEVAL_URL": service,
            "SHADOWEVAL_API_KEY": key,
            "KEPT": str(folder / "environment"),
        }
        self.begin()

    def begin(self):
        """Begin a page: what the blocks of another one set is not there."""
        self._namespace = {"__name__": "documented"}
        self.env = dict(self._first)

    def run(self, block):
        """Run a block; what a page's blocks set is there for the next ones.

        Raises:
            AssertionError: when a command of the shell fails, with what it said.
        """
        code = block.code.replace("http://127.0.0.1:8000", self._service)
        code = code.replace("sk-shadow-…", self._key)
        place = f"{block.page}:{block.line}"
        if block.language == "python":
            exec(compile("\n" * block.line + code, block.page, "exec"), self._namespace)
        else:
            self._bash(code.replace(".venv/bin/python", sys.executable), place)

    def _bash(self, code, place):
        # The next block of the page knows the variables of this one.
        whole = f"set -euo pipefail\nset -a\n{code}\nset +a\nenv -0 > {self.env['KEPT']}"
        done = subprocess.run(
            ["bash", "-c", whole], cwd=ROOT, env=self.env, timeout=_SECONDS, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{place} failed:\n{done.stdout}"
        kept = Path(self.env["KEPT"]).read_text().split("\0")
        self.env.update(line.split("=", 1) for line in kept if "=" in line)


def _shims(folder):
    shims = folder / "shims"
    shims.mkdir()
    for name, line in _SHIMS.items():
        script = shims / name
        script.write_text("#!/bin/sh\n" + line.format(**{name: shutil.which(name)}) + "\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return shims
