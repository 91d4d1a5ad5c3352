import os
import signal

import pytest
import redis
from kombu import Connection

from shadoweval.embedded import EmbeddedError, Valkey, broker_url, redis_url

OWNER = """
import os, time
from pathlib import Path
import redis
from shadoweval.embedded import Valkey, redis_url

root = Path(os.environ["FOLDER"])
with Valkey(root):
    redis.Redis.from_url(redis_url(root)).set("kept", "yes")
    print("written", flush=True)
    time.sleep(600)
"""


def ask(root, *command, db=0):
    with redis.Redis.from_url(redis_url(root, db), decode_responses=True) as client:
        return client.execute_command(*command)


def server_pid(root):
    return ask(root, "INFO", "server")["process_id"]


def test_stop_and_start_keep_keys_and_leave_no_process_between(root, running):
    valkey = Valkey(root)
    with valkey:
        ask(root, "SET", "kept", "yes")
    assert not valkey.alive()
    assert not running(root)
    with valkey:
        assert ask(root, "GET", "kept") == "yes"


def test_killed_server_is_started_again_by_its_owner_and_keeps_keys(root, until):
    with Valkey(root) as valkey:
        ask(root, "SET", "kept", "yes")
        os.kill(server_pid(root), signal.SIGKILL)
        until(lambda: not valkey.alive())
        valkey.start()
        assert ask(root, "GET", "kept") == "yes"


def test_killed_owner_takes_the_server_along_and_keys_are_kept(root, script, running, until):
    owner = script(OWNER, root)
    owner.expect("written")
    assert running(root)
    owner.kill()
    until(lambda: not running(root))
    with Valkey(root):
        assert ask(root, "GET", "kept") == "yes"


def test_next_start_may_follow_the_kill_at_once(root, script):
    owner = script(OWNER, root)
    owner.expect("written")
    owner.kill()
    with Valkey(root):
        assert ask(root, "GET", "kept") == "yes"


def test_ephemeral_server_keeps_nothing(root):
    with Valkey(root, ephemeral=True) as valkey:
        ask(root, "SET", "kept", "yes")
    with valkey:
        assert ask(root, "GET", "kept") is None


def test_second_owner_is_refused_until_the_first_stops(root):
    second = Valkey(root, ephemeral=True)
    with Valkey(root, ephemeral=True):
        with pytest.raises(EmbeddedError, match=rf"process {os.getpid()}\) runs the Valkey"):
            second.start()
        assert ask(root, "PING")
    with second:
        assert ask(root, "PING")


@pytest.mark.parametrize("name", ["Upper.Case", "x" * 120, "with space", "a%2Fb?c#d"])
def test_urls_lead_redis_and_celery_to_the_same_server(root, name):
    root = root / name / "var"
    with Valkey(root, ephemeral=True) as valkey:
        with Connection(broker_url(root, db=3)) as broker, broker.SimpleQueue("jobs") as queue:
            queue.put("message")
        assert ask(root, "LLEN", "jobs", db=3) == 1
        assert ask(root, "LLEN", "jobs") == 0
    if valkey.place.sockets.parent != valkey.place.home:
        valkey.place.sockets.rmdir()


def test_full_memory_refuses_instead_of_forgetting(root):
    with Valkey(root, ephemeral=True):
        assert ask(root, "CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_server_has_no_port(root):
    with Valkey(root, ephemeral=True):
        assert ask(root, "CONFIG", "GET", "port") == {"port": "0"}


def test_folder_that_cannot_be_made_is_named_with_the_way_out(root):
    root.parent.joinpath("file").touch()
    with pytest.raises(EmbeddedError, match=r"file.*SHADOWEVAL_VAR"):
        Valkey(root.parent / "file" / "var").start()
