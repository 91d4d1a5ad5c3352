"""A judge on loopback: the Messages API with its batches, and Chat Completions.

It is a simple model: it obeys whatever stands outside the marks that its system prompt declares,
and judges what stands inside by a word. Without marks everything is outside. What else it does is
told by the model's name, or by `next_statuses`.
"""

import contextlib
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from threading import Thread

from tests.local_http import Server

INPUT, OUTPUT = 100, 20
_DECLARED = re.compile(r"<<DATA (\w+) name>>")
_ORDERS = re.compile(r"(?:choose|rate|prefer) the (first|second)", re.IGNORECASE)
_NAIVE = re.compile(r"First answer:(.*)Second answer:(.*)", re.DOTALL)
_GOOD = "GOOD"


def verdict(system, text, is_sloppy=False):
    """Return what the model says of a system prompt and the user's text.

    A sloppy one takes anything that looks like an end mark for the end of a part.
    """
    declared = _DECLARED.search(system)
    if declared is None:
        outside, found = text, _NAIVE.search(text)
        first, second = found.groups() if found else ("", "")
    else:
        mark = declared[1]
        end = r"<<\s*/?\s*END\b[^>]*>>" if is_sloppy else rf"<<END {mark} \w+>>"
        parts = re.compile(rf"<<DATA {mark} (\w+)>>\n(.*?)\n{end}", re.DOTALL | re.IGNORECASE)
        inside = dict(parts.findall(text))
        outside = parts.sub("", text)
        first, second = inside.get("first", ""), inside.get("second", "")
    good = (_GOOD in first, _GOOD in second)
    choice = {(True, False): "first", (False, True): "second", (True, True): "tie"}.get(good)
    if told := _ORDERS.search(outside):
        choice = told[1].lower()
    return {
        "choice": choice or "both_bad",
        "first_adequate": good[0],
        "second_adequate": good[1],
    }


#: What a model named so says instead of a good call: content blocks and stop reason.
_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "verdict"}
_WHOLE = {"choice": "first", "first_adequate": True, "second_adequate": False}


def _text(said):
    return [{"type": "text", "text": said}]


ODD = {
    "no-call": (_text("The first one."), "end_turn"),
    "json-text": (_text(json.dumps(_WHOLE)), "end_turn"),
    "wrong-enum": ([_TOOL | {"input": _WHOLE | {"choice": "A"}}], "tool_use"),
    "listed": ([_TOOL | {"input": _WHOLE | {"choice": ["first"]}}], "tool_use"),
    "half": ([_TOOL | {"input": {"choice": "first"}}], "tool_use"),
    "no-bool": ([_TOOL | {"input": _WHOLE | {"first_adequate": "yes"}}], "tool_use"),
    "other-tool": ([_TOOL | {"name": "other", "input": _WHOLE}], "tool_use"),
    "two-calls": ([_TOOL | {"input": _WHOLE}] * 2, "tool_use"),
    "truncated": ([_TOOL | {"input": {}}], "max_tokens"),
    "refusal": ([], "refusal"),
    "declines": (_text("I'm sorry, but I can't compare these."), "end_turn"),
}


@dataclass
class Standin:
    """What tests see and set.

    Attributes:
        asked: bodies of all single calls, oldest first.
        next_statuses: errors to give to the next calls.
        retry_after: header of the errors.
        batches: entries of each batch by its id.
        kinds: result types of the next entries of batches; the others succeed.
        is_over: whether batches have ended.
    """

    url: str = ""
    asked: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    next_statuses: deque = field(default_factory=deque)
    retry_after: str = ""
    batches: dict = field(default_factory=dict)
    kinds: deque = field(default_factory=deque)
    is_over: bool = True
    forgets: bool = False
    hold_s: float = 0.0

    def message(self, body):
        for name, (content, stop) in ODD.items():
            if name in body["model"]:
                return _message(body, content, stop)
        text = "\n".join(block["text"] for block in body["messages"][-1]["content"])
        said = verdict(body.get("system", ""), text, "sloppy" in body["model"])
        if "biased" in body["model"]:
            said["choice"] = "first"
        return _message(body, [_TOOL | {"input": said}], "tool_use")


def _message(body, content, stop):
    usage = {"input_tokens": INPUT, "output_tokens": OUTPUT}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
    return head | {
        "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _as_messages(body):
    """Return the Messages form of a Chat Completions body, as far as judges use it."""
    system = "\n".join(m["content"] for m in body["messages"] if m["role"] == "system")
    content = body["messages"][-1]["content"]
    blocks = [{"text": content}] if isinstance(content, str) else content
    return {"model": body["model"], "system": system, "messages": [{"content": blocks}]}


def _completion(message):
    said = {"role": "assistant", "content": None, "refusal": None}
    finish = {"max_tokens": "length", "refusal": "content_filter"}.get(
        message["stop_reason"], "stop"
    )
    for block in message["content"]:
        if block["type"] == "text":
            said["content"] = block["text"]
        else:
            call = {"name": block["name"], "arguments": json.dumps(block["input"])}
            said.setdefault("tool_calls", []).append(
                {"id": "call_1", "type": "function", "function": call}
            )
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": message["model"],
        "choices": [{"index": 0, "message": said, "finish_reason": finish, "logprobs": None}],
        "usage": {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": 120},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        standin = self.server.standin
        standin.headers.append({name.lower(): value for name, value in self.headers.items()})
        if standin.next_statuses and (status := standin.next_statuses.popleft()):
            return self._fail(status)
        if self.path.endswith("/batches"):
            return self._batch(body)
        standin.asked.append(body)
        if "stall" in body["model"]:
            time.sleep(standin.hold_s)
        if "cut" in body["model"]:
            self.close_connection = True
            return self.connection.close()
        if "not-json" in body["model"]:
            return self._send(b"<html>")
        if self.path.endswith("/chat/completions"):
            return self._send(_completion(standin.message(_as_messages(body))))
        return self._send(standin.message(body))

    def do_GET(self):
        standin = self.server.standin
        if standin.next_statuses and (status := standin.next_statuses.popleft()):
            return self._fail(status)
        path = self.path.partition("?")[0]
        if path.endswith("/results"):
            entries = standin.batches[path.split("/")[-2]]["entries"]
            return self._send(b"".join(self._line(entry) for entry in entries))
        if path.endswith("/batches"):
            data = [self._about(name) for name in reversed(standin.batches)]
            return self._send({"data": data, "has_more": False, "first_id": None, "last_id": None})
        name = path.split("/")[-1]
        return self._send(self._about(name)) if name in standin.batches else self._fail(404)

    def _batch(self, body):
        standin = self.server.standin
        name = f"msgbatch_{len(standin.batches)}"
        made = {"entries": body["requests"], "at": datetime.now(UTC).isoformat()}
        standin.batches[name] = made
        if standin.forgets:  # the answer never arrives
            self.close_connection = True
            return self.connection.close()
        return self._send(self._about(name))

    def _about(self, name):
        standin = self.server.standin
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if standin.is_over else "in_progress",
            "request_counts": counts,
            "created_at": standin.batches[name]["at"],
            "expires_at": standin.batches[name]["at"],
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{standin.url}/v1/messages/batches/{name}/results",
        }

    def _line(self, entry):
        standin = self.server.standin
        kind = standin.kinds.popleft() if standin.kinds else "succeeded"
        result = {"type": kind.partition(":")[0]}
        if result["type"] == "succeeded":
            result["message"] = standin.message(entry["params"])
        if result["type"] == "errored":
            error = {"type": kind.partition(":")[2], "message": "no"}
            result["error"] = {"type": "error", "error": error, "request_id": None}
        return json.dumps({"custom_id": entry["custom_id"], "result": result}).encode() + b"\n"

    def _fail(self, status):
        self._send({"type": "error", "error": {"type": "api_error", "message": "no"}}, status)

    def _send(self, body, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("request-id", "req_judge")
        if status != 200 and self.server.standin.retry_after:
            self.send_header("retry-after", self.server.standin.retry_after)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def running():
    """Serve until the block ends."""
    server = Server(("127.0.0.1", 0), _Handler)
    server.standin = Standin(url=f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.standin
    finally:
        server.shutdown()
        server.server_close()
