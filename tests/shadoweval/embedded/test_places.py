import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from shadoweval.embedded import EmbeddedError, Postgres, Valkey, places, postgres_url, redis_url

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a second place")


@pytest.fixture
def long_root(root):
    root = root / ("x" * 120)
    sockets = places.find(root).sockets
    yield root
    if sockets.is_symlink():
        sockets.unlink()
    elif sockets.exists():
        sockets.rmdir()


@pytest.fixture
def private_root(root):
    """A root folder in a checkout that only root may enter, as below /root."""
    checkout = root.parent / "checkout"
    checkout.mkdir(mode=0o700)
    apart = places.HOMES_APART / places.find(checkout / "var").home.name
    yield checkout / "var"
    if apart.parent == places.HOMES_APART:
        shutil.rmtree(apart, ignore_errors=True)


def test_urls_follow_from_the_folder_alone(root):
    urls = f"{postgres_url(root, 'db name')}\n{redis_url(root, 2)}\n"
    assert urls == (
        f"postgresql://shadoweval@{str(root).replace('/', '%2F')}%2Fservers/db%20name\n"
        f"unix://{root}/servers/valkey.sock?db=2\n"
    )
    assert not root.exists()


def test_another_process_with_another_tmpdir_comes_to_the_same_url(long_root, tmp_path):
    source = (
        "import sys; from pathlib import Path; from shadoweval.embedded import redis_url\n"
        "print(redis_url(Path(sys.argv[1])))"
    )
    other = subprocess.run(
        [sys.executable, "-c", source, str(long_root)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == redis_url(long_root)
    assert len(redis_url(long_root)) < 100


def test_short_folder_of_somebody_else_is_refused(long_root):
    sockets = places.find(long_root).sockets
    sockets.symlink_to(long_root.parent)
    with pytest.raises(EmbeddedError, match="not a private folder"):
        postgres_url(long_root)
    with pytest.raises(EmbeddedError, match="not a private folder"):
        Valkey(long_root).start()


def test_short_folder_open_to_others_is_refused(long_root):
    places.find(long_root).sockets.mkdir()
    with pytest.raises(EmbeddedError, match="mode 0700"):
        Postgres(long_root).start()


@as_root
def test_short_folder_of_another_account_is_refused(long_root):
    sockets = places.find(long_root).sockets
    sockets.mkdir(mode=0o700)
    os.chown(sockets, 54321, 54321)
    with pytest.raises(EmbeddedError, match="owner 54321"):
        redis_url(long_root)


def test_folders_of_data_are_private(root):
    with Valkey(root, ephemeral=True) as valkey:
        for folder in ("servers", "locks", "logs"):
            assert (valkey.place.home / folder).stat().st_mode & 0o077 == 0
        assert valkey.log.stat().st_mode & 0o077 == 0


@as_root
def test_private_checkout_of_root_has_its_data_elsewhere_for_good(private_root):
    before = postgres_url(private_root)
    with Postgres(private_root, ephemeral=True) as postgres:
        postgres.ensure_database()
        home = postgres.place.home
        assert home.parent == places.HOMES_APART
        psycopg.connect(postgres_url(private_root)).close()
    assert postgres_url(private_root) == before
    private_root.parent.chmod(0o755)
    assert postgres_url(private_root) == before
    assert private_root.parent.stat().st_mode & 0o777 == 0o755


@as_root
def test_data_that_moved_out_of_the_accounts_reach_are_not_passed_over(root):
    with Postgres(root, ephemeral=True):
        pass
    root.chmod(0o700)
    with pytest.raises(EmbeddedError, match=r"cannot enter .*SHADOWEVAL_VAR"):
        Postgres(root, ephemeral=True).start()
    assert places.find(root).home == root


@as_root
def test_data_of_an_ordinary_account_are_served_as_that_account(root):
    root.mkdir()
    (root / "servers").mkdir(mode=0o700)
    os.chown(root / "servers", 54321, 54321)
    with Valkey(root, ephemeral=True):
        assert (root / "servers/valkey.sock").stat().st_uid == 54321
