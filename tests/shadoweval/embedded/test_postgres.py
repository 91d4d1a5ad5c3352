import os
import signal
import subprocess
from pathlib import Path

import dj_database_url
import psycopg
import pytest

from shadoweval.embedded import EmbeddedError, Postgres, places, postgres_url
from shadoweval.embedded.locks import FileLock

OWNER = """
import os, time
from pathlib import Path
import psycopg
from shadoweval.embedded import Postgres, postgres_url

root = Path(os.environ["FOLDER"])
with Postgres(root) as postgres:
    postgres.ensure_database()
    with psycopg.connect(postgres_url(root)) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
        connection.commit()
        connection.execute("INSERT INTO kept VALUES (0)")
        print("committed", flush=True)
        time.sleep(600)
"""


def make_table(root):
    with psycopg.connect(postgres_url(root)) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")


def count_rows(root):
    with psycopg.connect(postgres_url(root)) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def postmaster_pid(root):
    lines = (places.find(root).servers / "postgres/postmaster.pid").read_text().splitlines()
    return int(lines[0])


def test_stop_and_start_keep_rows_and_leave_no_process_between(root, running):
    postgres = Postgres(root, ephemeral=True)
    with postgres:
        postgres.ensure_database()
        make_table(root)
        assert running(root)
    assert not postgres.alive()
    assert not running(root)
    with postgres:
        assert postgres.alive()
        assert count_rows(root) == 1000


def test_database_belongs_to_an_ordinary_role_and_is_made_once(root):
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database('odd "name', "odd 'role")
        postgres.ensure_database('odd "name', "odd 'role")
        with psycopg.connect(postgres_url(root, 'odd "name', "odd 'role")) as connection:
            is_superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(is_superuser).fetchone() == (False,)
            connection.execute("CREATE TABLE mine (n int)")


def test_text_sorts_by_code_point_on_every_machine(root):
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database()
        with psycopg.connect(postgres_url(root)) as connection:
            words = "SELECT array_agg(w ORDER BY w) FROM unnest(ARRAY['é', 'b', 'B', 'a']) w"
            assert connection.execute(words).fetchone() == (["B", "a", "b", "é"],)


def test_killed_owner_takes_the_server_along_and_the_next_start_recovers(
    root, script, running, until
):
    owner = script(OWNER, root)
    owner.expect("committed")
    assert running(root)
    owner.kill()
    until(lambda: not running(root))
    with Postgres(root):
        assert count_rows(root) == 1000


def test_next_start_may_follow_the_kill_at_once(root, script):
    owner = script(OWNER, root)
    owner.expect("committed")
    owner.kill()
    with Postgres(root):
        assert count_rows(root) == 1000


def test_killed_server_is_started_again_by_its_owner(root, until):
    with Postgres(root) as postgres:
        postgres.ensure_database()
        make_table(root)
        os.kill(postmaster_pid(root), signal.SIGKILL)
        until(lambda: not postgres.alive())
        postgres.start()
        assert count_rows(root) == 1000


def test_start_leaves_a_running_server_alone(root):
    with Postgres(root, ephemeral=True) as postgres:
        before = postmaster_pid(root)
        postgres.start()
        assert postmaster_pid(root) == before


def test_lock_file_whose_number_now_belongs_to_another_process_is_no_obstacle(root):
    with Postgres(root, ephemeral=True) as postgres:
        place = postgres.place
        lock = place.servers / "postgres/postmaster.pid"
        socket_lock = place.sockets / ".s.PGSQL.5432.lock"
        lines, socket_lines = lock.read_text(), socket_lock.read_text()
    # Postgres fears only processes of its own account.
    options = {"user": place.account.uid, "cwd": "/"} if place.account else {}
    stranger = subprocess.Popen(["sleep", "600"], **options)
    try:
        for path, text in ((lock, lines), (socket_lock, socket_lines)):
            path.write_text("\n".join([str(stranger.pid), *text.splitlines()[1:]]) + "\n")
        with postgres:
            assert postmaster_pid(root) != stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


def test_second_owner_is_refused_until_the_first_stops(root):
    second = Postgres(root, ephemeral=True)
    with Postgres(root, ephemeral=True) as first:
        with pytest.raises(EmbeddedError, match=rf"process {os.getpid()}\) runs the Postgres"):
            second.start()
        assert first.alive()
    with second:
        assert second.alive()


def test_server_that_outlived_its_owner_is_ended_by_the_next_start(root):
    """As on a system whose kernel sends no signal when a parent dies."""
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database()
        make_table(root)
        place = postgres.place
        argv = Path(f"/proc/{postmaster_pid(root)}/cmdline").read_bytes().split(b"\0")[:-1]
    lock = FileLock(place.home / "locks/postgres.server")
    assert lock.take(0)
    user = {"user": place.account.uid, "group": place.account.gid} if place.account else {}
    orphan = subprocess.Popen(
        argv, stderr=subprocess.DEVNULL, pass_fds=[lock.fd], cwd=place.servers, **user
    )
    lock.note(orphan.pid)
    lock.release()
    with postgres:
        assert orphan.wait() == 0
        assert count_rows(root) == 1000


def test_killed_initdb_leaves_nothing_that_looks_whole(root, script, running, until):
    owner = script(OWNER, root)
    servers = root / "servers"
    until(lambda: list(servers.glob("postgres.new-*/*")))
    owner.kill()
    assert not (servers / "postgres").exists()
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database()
        make_table(root)
    assert not list(servers.glob("postgres.new-*"))


@pytest.mark.parametrize(
    "name", ["Upper.Case", "x" * 120, "with space, comma", "größe", "a%2Fb:c@d"]
)
def test_url_leads_django_and_libpq_to_the_socket(root, name):
    root = root / name / "var"
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database()
        sockets = postgres.place.sockets
        settings = dj_database_url.parse(postgres_url(root))
        assert settings["HOST"] == str(sockets)
        assert (settings["USER"], settings["NAME"]) == ("shadoweval", "shadoweval")
        make_table(root)
    if sockets.parent != postgres.place.home:
        sockets.rmdir()


def test_failing_statement_is_not_written_to_the_log(root):
    with Postgres(root, ephemeral=True) as postgres:
        postgres.ensure_database()
        with psycopg.connect(postgres_url(root), autocommit=True) as connection:
            connection.execute("CREATE TABLE unique_text (t text PRIMARY KEY)")
            connection.execute("INSERT INTO unique_text VALUES ('a prompt')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO unique_text VALUES ('a prompt')")
        log = postgres.log.read_text()
    assert "duplicate key" in log
    assert "a prompt" not in log


def test_server_gets_none_of_our_secrets(root, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    with Postgres(root, ephemeral=True):
        environment = Path(f"/proc/{postmaster_pid(root)}/environ").read_bytes()
    assert b"LC_ALL=C" in environment
    assert b"sk-secret" not in environment


def test_folder_that_cannot_be_made_is_named_with_the_way_out(root):
    root.parent.joinpath("file").touch()
    with pytest.raises(EmbeddedError, match=r"file.*SHADOWEVAL_VAR"):
        Postgres(root.parent / "file" / "var").start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_named_with_the_way_out(root):
    root.mkdir(mode=0o500)
    with pytest.raises(EmbeddedError, match=r"Permission denied.*SHADOWEVAL_VAR"):
        Postgres(root).start()


def test_data_of_a_version_that_is_not_here_are_left_alone(root):
    with Postgres(root, ephemeral=True) as postgres:
        version = postgres.place.servers / "postgres/PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"No PostgreSQL 9, which made the data folder"):
        postgres.start()
    assert version.read_text() == "9\n"
