"""One running service for all scenarios; each has a project, a provider and a load of its own."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.chaos import ledger, load, provider
from tests.chaos.stack import Stack, eventually

#: How often each scenario is repeated: more for a long search.
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))


def pytest_generate_tests(metafunc):
    """Repeat every scenario."""
    if "round_" in metafunc.fixturenames:
        metafunc.parametrize("round_", range(ROUNDS))


@pytest.fixture(scope="session")
def _stack():
    folder = Path(tempfile.mkdtemp(prefix="shadoweval-chaos-"))
    folder.chmod(0o755)  # as root, the database's own account must get through
    stack = Stack(folder)
    try:
        stack.open()
        yield stack
    finally:
        stack.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stack(_stack):
    """The service with everything running, whatever the scenario before it killed."""
    _stack.ensure("web", "worker", "beat")
    return _stack


@pytest.fixture
def standin():
    """A provider that counts its calls."""
    with provider.running() as running:
        yield running


class Scenario:
    """A project on the running service, its load, and its counts."""

    def __init__(self, stack, standin, say, cap_usd=""):
        self.stack, self.standin, self._say = stack, standin, say
        self.name = f"m{secrets.token_hex(3)}"
        self.account = stack.account(self.name, standin.url, cap_usd)
        eventually(lambda: stack.accepts(self.account.key), 60, "the key is known")
        self.load = None

    def asking(self, per_s=30.0, most=None, padding=0):
        """Ask until the block ends."""
        self.load = load.Load(self.stack.url, self.account.key, self.name, per_s, most, padding)
        return load.running(self.load)

    def settle(self, limit_s=120, lost=lambda: 0):
        """Wait until all is written and done, but for what is said to be lost; print the counts."""
        book = ledger.settled(self.stack, self.account, self.load, self.standin, limit_s, lost)
        self._say(book)
        return book


@pytest.fixture
def scenario(stack, standin, request, capsys):
    """Return a function that begins a scenario; its counts are printed even when it passes."""
    title = request.node.name.removeprefix("test_")

    def say(book):
        with capsys.disabled():
            print(f"\n{book.line(title)}")

    def begin(cap_usd=""):
        return Scenario(stack, standin, say, cap_usd)

    return begin
