"""A pytest plugin: a real Postgres and a real Valkey for the run, unless URLs are set.

Loaded before Django reads its settings.
"""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import certifi
import pytest

#: Names the URLs that a run set itself: its workers start servers of their own instead.
_OURS = "SHADOWEVAL_TEST_SERVERS"
_CHECKOUT = Path(__file__).parents[1]


def are_ours(name: str) -> bool:
    """Tell whether the run started what the URL of this name leads to."""
    return name in os.environ.get(_OURS, "")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    from shadoweval import embedded
    from tests import migrated

    gc.disable()
    root = Path(tempfile.mkdtemp(prefix="shadoweval-tests-"))
    root.chmod(0o755)  # as root, the database's own account must get through
    early_config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))
    os.environ["SHADOWEVAL_VAR"] = str(root / "var")
    # Built by the first run that embeds, a minute; the next ones find them.
    os.environ.setdefault("SHADOWEVAL_MODELS", str(_CHECKOUT / ".models"))
    os.environ["SHADOWEVAL_SECRET_KEY"] = "only-for-tests"
    # Drawn by random ids: a test that wants repeats says so in its policy.
    os.environ["SHADOWEVAL_REPEAT_RATE"] = "0"
    os.environ["SSL_CERT_FILE"] = str(_one_authority(root))
    # As many processes as cores: more threads in each only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Where tests share two cores with the service, its loop is often late: nothing is shed for it.
    os.environ["SHADOWEVAL_SHADOW_LATE_MS"] = "1000000"
    os.environ.pop("ANTHROPIC_API_KEY", None)
    for name, server_class, url in (
        ("DATABASE_URL", embedded.Postgres, embedded.postgres_url),
        ("REDIS_URL", embedded.Valkey, embedded.redis_url),
    ):
        if os.environ.get(name) and not are_ours(name):
            continue
        place = root / server_class.__name__.lower()
        if name == "DATABASE_URL":
            migrated.copy_to(place)
        server = server_class(place, ephemeral=True)
        server.start()
        early_config.add_cleanup(server.stop)
        os.environ[name] = url(place)
        if name == "DATABASE_URL":
            migrated.rename(os.environ[name])
        os.environ[_OURS] = f"{os.environ.get(_OURS, '')} {name}"


def _one_authority(folder: Path) -> Path:
    """Write a file with one authority: every client reads all that it trusts, and calls none."""
    end = "-----END CERTIFICATE-----\n"
    path = folder / "authority.pem"
    path.write_text(Path(certifi.where()).read_text(encoding="ascii").partition(end)[0] + end)
    return path


def pytest_collection_finish():
    """Collect garbage from here on, and leave alone what was loaded: it is there to the end."""
    gc.freeze()
    gc.enable()
