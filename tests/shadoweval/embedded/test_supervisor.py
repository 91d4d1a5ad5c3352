import contextlib
import os
import signal
from pathlib import Path

import pytest
import redis

from shadoweval.charges import GOOD_LIFE_S, LONGEST_PAUSE_S, TRIAL_DEATHS, TRIAL_S, Patience
from shadoweval.embedded import redis_url
from shadoweval.embedded.processes import LOG_BYTES

# A child writes its process number when it starts, and its name when it is asked to stop.
SUPERVISE = """
import os, signal, sys
from pathlib import Path
from shadoweval.embedded import Valkey
from shadoweval.charges import Service, ServiceGaveUp
from shadoweval.supervisor import Supervisor

folder = Path(os.environ["FOLDER"])
CHILD = '''
import os, pathlib, signal, sys, time
folder, name, stubborn = pathlib.Path(sys.argv[1]), sys.argv[2], len(sys.argv) > 3

def write(file, line):
    with (folder / file).open("a") as out:
        out.write(line + chr(10))

if (folder / "broken").exists():
    sys.exit("it is broken")

def asked(number, frame):
    write("asked", name)
    if not stubborn:
        sys.exit()

signal.signal(signal.SIGTERM, asked)
write(name, str(os.getpid()))
write("nice", str(os.nice(0)))
os.write(int(os.environ["READY_FD"]), b"+")
while True:
    time.sleep(600)
'''

def service(name, *options, **settings):
    return Service(name, [sys.executable, "-c", CHILD, str(folder), name, *options], **settings)

def note(problem):
    with (folder / "restarts").open("a") as out:
        print("fine" if not problem else problem.replace(chr(10), "|"), file=out)

def run(*services, watched=()):
    try:
        stopping = (folder / "stopping").touch
        Supervisor(services, folder / "logs", watched, note, on_stopping=stopping).run()
    except ServiceGaveUp as error:
        sys.exit(str(error))

"""
TWO = SUPERVISE + "run(service('first'), service('second'))"
STUBBORN = SUPERVISE + "run(service('only', 'stubborn', stop_timeout_s={}))"
RENEWED = (
    SUPERVISE
    + """
run(service("web", count=2, ready_timeout_s=30), service("worker", nice=7))
"""
)
PARENT = """
run(Service("parent", ["sh", "-c", '"$0" "$@" & wait', *service("child").argv]))
"""
BROKEN = """
words = "for n in $(seq 40); do echo line $n; done; echo it is $COLOUR >&2; exit 3"
run(service("steady"), Service("broken", ["sh", "-c", words], env={"COLOUR": "red"}))
"""
WATCHED = """
with Valkey(folder) as valkey:
    run(service("steady"), watched=[valkey])
"""


@pytest.fixture
def folder(root):
    root.mkdir()
    return root


def lines(path):
    return path.read_text().split() if path.exists() else []


def test_dead_child_is_started_again_and_the_others_are_left_alone(folder, script, until):
    script(TWO, folder)
    until(lambda: lines(folder / "first") and lines(folder / "second"))
    os.kill(int(lines(folder / "second")[0]), signal.SIGKILL)
    until(lambda: len(lines(folder / "second")) == 2)
    assert len(lines(folder / "first")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_all_children_last_one_first(folder, script, running, until, number):
    supervisor = script(TWO, folder)
    until(lambda: lines(folder / "first") and lines(folder / "second"))
    supervisor.signal(number)
    assert supervisor.finish() == (0, "")
    assert lines(folder / "asked") == ["second", "first"]
    assert (folder / "stopping").exists()
    assert not running(folder)


def test_restart_starts_a_successor_before_it_stops_what_says_when_it_is_ready(
    folder, script, running, until
):
    supervisor = script(RENEWED, folder)
    until(lambda: len(lines(folder / "web")) == 2 and lines(folder / "worker"))
    supervisor.signal(signal.SIGUSR2)
    until(lambda: lines(folder / "restarts"))
    assert lines(folder / "restarts") == ["fine"]
    until(lambda: len(lines(folder / "worker")) == 2)
    assert lines(folder / "asked") == ["web", "web", "worker"]
    assert len(lines(folder / "web")) == 4
    old = lines(folder / "web")[:2] + lines(folder / "worker")[:1]
    assert not any(Path(f"/proc/{pid}").exists() for pid in old)
    assert len(running(folder)) == 3
    supervisor.signal(signal.SIGTERM)
    assert supervisor.finish() == (0, "")
    assert not running(folder)


def test_what_serves_goes_on_when_its_successor_does_not_come_up(folder, script, running, until):
    supervisor = script(RENEWED, folder)
    until(lambda: len(lines(folder / "web")) == 2 and lines(folder / "worker"))
    before = sorted(running(folder))
    (folder / "broken").touch()
    supervisor.signal(signal.SIGUSR2)
    until(lambda: (folder / "restarts").exists())
    said = (folder / "restarts").read_text()
    assert said.startswith("the new web process did not get ready, so the old one goes on")
    assert said.endswith("it is broken\n")
    assert not lines(folder / "asked")
    assert sorted(running(folder)) == before
    supervisor.signal(signal.SIGTERM)
    assert supervisor.finish()[0] == 0


def test_stop_amid_a_restart_leaves_nothing(folder, script, running, until):
    supervisor = script(SUPERVISE + "run(service('only', 'stubborn', stop_timeout_s=600))", folder)
    until(lambda: lines(folder / "only"))
    supervisor.signal(signal.SIGUSR2)
    until(lambda: lines(folder / "asked"))
    supervisor.signal(signal.SIGTERM)
    supervisor.signal(signal.SIGINT)
    assert supervisor.finish() == (0, "")
    assert lines(folder / "asked") == ["only"]
    assert not running(folder)


def test_service_can_stand_back_for_the_others(folder, script, until):
    script(RENEWED, folder)
    until(lambda: len(lines(folder / "nice")) == 3)
    ours, *_, most = sorted(int(nice) for nice in lines(folder / "nice"))
    assert most - ours == 7 or most == 19


def test_killed_supervisor_leaves_no_child(folder, script, running, until):
    supervisor = script(STUBBORN.format(600), folder)
    until(lambda: lines(folder / "only"))
    assert running(folder)
    supervisor.kill()
    until(lambda: not running(folder))


def test_child_that_does_not_stop_in_its_time_is_killed(folder, script, running, until):
    supervisor = script(STUBBORN.format(0.3), folder)
    until(lambda: lines(folder / "only"))
    supervisor.signal(signal.SIGTERM)
    assert supervisor.finish() == (0, "")
    assert lines(folder / "asked") == ["only"]
    assert not running(folder)


def test_second_signal_does_not_wait(folder, script, running, until):
    supervisor = script(STUBBORN.format(600), folder)
    until(lambda: lines(folder / "only"))
    supervisor.signal(signal.SIGINT)
    until(lambda: lines(folder / "asked"))
    supervisor.signal(signal.SIGINT)
    assert supervisor.finish() == (0, "")
    assert not running(folder)


def test_what_a_dead_child_left_behind_is_ended_before_its_restart(folder, script, running, until):
    supervisor = script(SUPERVISE + PARENT, folder)
    until(lambda: lines(folder / "child"))
    before = len(running(folder))
    leader = os.getpgid(int(lines(folder / "child")[0]))
    os.kill(leader, signal.SIGKILL)
    until(lambda: len(lines(folder / "child")) == 2)
    assert len(running(folder)) == before
    supervisor.signal(signal.SIGTERM)
    assert supervisor.finish()[0] == 0
    with contextlib.suppress(ProcessLookupError):  # where it outlived its parent
        os.killpg(os.getpgid(int(lines(folder / "child")[1])), signal.SIGKILL)


def test_child_that_keeps_dying_stops_everything_and_shows_its_last_lines(folder, script, running):
    supervisor = script(SUPERVISE + BROKEN, folder)
    code, errors = supervisor.finish()
    assert code == 1
    assert f"broken stopped {TRIAL_DEATHS} times within 60 s of its first start" in errors
    assert errors.endswith("line 39\nline 40\nit is red\n")
    assert "line 27\n" in errors
    assert "line 26\n" not in errors
    assert lines(folder / "asked") == ["steady"]
    assert not running(folder)


def test_dead_server_is_started_again_in_place(folder, script, running, until):
    supervisor = script(SUPERVISE + WATCHED, folder)
    until(lambda: lines(folder / "steady"))
    first = valkey_pid(folder)
    os.kill(first, signal.SIGKILL)
    until(lambda: valkey_pid(folder) not in (None, first))
    supervisor.signal(signal.SIGTERM)
    code, errors = supervisor.finish()
    assert code == 0
    assert errors == "Valkey stopped; starting it again in 0.5 s\n"
    assert not running(folder)


def valkey_pid(folder):
    with redis.Redis.from_url(redis_url(folder), retry=None) as client:
        try:
            return client.info("server")["process_id"]
        except redis.exceptions.ConnectionError:
            return None


def test_large_log_is_set_aside_at_the_next_start(folder, script, until):
    logs = folder / "logs"
    logs.mkdir()
    with (logs / "first.log").open("w") as log:
        log.truncate(LOG_BYTES + 1)
    (logs / "second.log").write_text("earlier\n")
    script(TWO, folder)
    until(lambda: lines(folder / "second"))
    assert (logs / "first.log.1").stat().st_size == LOG_BYTES + 1
    assert (logs / "first.log").stat().st_size == 0
    assert (logs / "second.log").read_text() == "earlier\n"


def test_pauses_double_up_to_a_limit_and_shrink_after_a_good_life():
    patience, pauses, now = Patience(), [], 0.0
    for life_s in [1.0] * 6 + [GOOD_LIFE_S, 1.0]:
        patience.started(now)
        now += life_s
        patience.died(now)
        pauses.append(patience.retry_at - now)
        now = patience.retry_at
    assert pauses == pytest.approx([0.5, 1, 2, 4, 8, LONGEST_PAUSE_S, 0.5, 1])


def test_only_deaths_soon_after_the_first_start_exhaust_patience():
    early, late = Patience(), Patience()
    for patience, first_death_s in ((early, TRIAL_S - TRIAL_DEATHS), (late, TRIAL_S + 1)):
        patience.started(0.0)
        for death in range(TRIAL_DEATHS):
            assert not patience.exhausted
            patience.died(first_death_s + death)
    assert early.exhausted
    assert not late.exhausted
