"""Requests, replies and streams with every kind of content that both APIs document.

Constructed from the public references: Messages (content blocks, streaming events) and Chat
Completions (message roles, content parts, chunks). In a request `MODEL` stands for the value of
the top-level model.
"""

import json
from typing import Any

MODEL = b"@MODEL@"
_NAME = MODEL.decode()


def request_bytes(body: dict[str, Any], **how: Any) -> bytes:
    """Return a body as JSON, its model still open."""
    how = {"ensure_ascii": False} | how
    return json.dumps(body, **how).encode().replace(b'"' + MODEL + b'"', MODEL)


def event(name: str, data: dict[str, Any]) -> bytes:
    """Return one event of a Messages stream."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def chunk(data: dict[str, Any]) -> bytes:
    """Return one event of a Chat Completions stream."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


# --- Messages: requests ---------------------------------------------------------------------

_CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
_SCHEMA = {"type": "object", "properties": {"model": {"type": "string"}}, "required": ["model"]}
_CITATIONS = [
    {
        "type": "char_location",
        "cited_text": "Größe",
        "document_index": 0,
        "document_title": "A",
        "start_char_index": 0,
        "end_char_index": 5,
    },
    {
        "type": "page_location",
        "cited_text": "p",
        "document_index": 1,
        "document_title": None,
        "start_page_number": 1,
        "end_page_number": 2,
    },
    {
        "type": "content_block_location",
        "cited_text": "b",
        "document_index": 2,
        "document_title": "C",
        "start_block_index": 0,
        "end_block_index": 1,
    },
    {
        "type": "web_search_result_location",
        "cited_text": "w",
        "encrypted_index": "Eo8=",
        "title": "T",
        "url": "https://example.com/?a=1&b=2",
    },
    {
        "type": "search_result_location",
        "cited_text": "s",
        "search_result_index": 0,
        "source": "kb/1",
        "title": "T",
        "start_block_index": 0,
        "end_block_index": 1,
    },
]
_TEXT = {"type": "text", "text": "Why is the sky blue? \u2713 \U0001f600"}
_SEARCH_RESULT = {
    "type": "search_result",
    "source": "kb/1",
    "title": "Sky",
    "content": [{"type": "text", "text": "It scatters."}],
    "citations": {"enabled": True},
}
_IMAGES = [
    {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    },
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "image", "source": {"type": "file", "file_id": "file_01"}},
]
_DOCUMENTS = [
    {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        "title": "A",
        "context": "from the archive",
        "citations": {"enabled": True},
        **_CACHED,
    },
    {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "plain Größe"},
    },
    {
        "type": "document",
        "source": {"type": "content", "content": [_TEXT, _IMAGES[1]]},
    },
    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    {"type": "document", "source": {"type": "file", "file_id": "file_02"}},
]
_SERVER_RESULTS: list[dict[str, Any]] = [
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "sky"},
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://example.com",
                "title": "Sky",
                "encrypted_content": "EqgfCioIARgB",
                "page_age": "April 30, 2025",
            }
        ],
    },
    {"type": "server_tool_use", "id": "srvtoolu_2", "name": "web_search", "input": {}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_3",
        "name": "web_fetch",
        "input": {"url": "https://example.com"},
    },
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_3",
        "content": {
            "type": "web_fetch_result",
            "url": "https://example.com",
            "retrieved_at": "2025-08-25T10:30:00Z",
            "content": _DOCUMENTS[1],
        },
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_4",
        "name": "code_execution",
        "input": {"code": "print(1)"},
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_4",
        "content": {
            "type": "code_execution_result",
            "stdout": "1\n",
            "stderr": "",
            "return_code": 0,
            "content": [{"type": "code_execution_output", "file_id": "file_03"}],
        },
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_5",
        "name": "bash_code_execution",
        "input": {"command": "ls"},
    },
    {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srvtoolu_5",
        "content": {
            "type": "bash_code_execution_result",
            "stdout": "a\tb\n",
            "stderr": "",
            "return_code": 0,
            "content": [{"type": "bash_code_execution_output", "file_id": "file_04"}],
        },
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_6",
        "name": "text_editor_code_execution",
        "input": {"command": "view", "path": "a.txt"},
    },
    {
        "type": "text_editor_code_execution_tool_result",
        "tool_use_id": "srvtoolu_6",
        "content": {
            "type": "text_editor_code_execution_view_result",
            "file_type": "text",
            "content": "line",
            "num_lines": 1,
            "start_line": 1,
            "total_lines": 1,
        },
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_7",
        "name": "tool_search_tool_regex",
        "input": {"pattern": "w.*"},
    },
    {
        "type": "tool_search_tool_result",
        "tool_use_id": "srvtoolu_7",
        "content": {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "weather"}],
        },
    },
    {"type": "container_upload", "file_id": "file_05"},
]
_BETA_RESULTS: list[dict[str, Any]] = [
    {
        "type": "mcp_tool_use",
        "id": "mcptoolu_1",
        "name": "echo",
        "server_name": "mine",
        "input": {"model": "auto"},
    },
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_1",
        "is_error": False,
        "content": [{"type": "text", "text": "hi"}],
    },
    {
        "type": "server_tool_use",
        "id": "srvtoolu_8",
        "name": "advisor",
        "input": {},
    },
    {
        "type": "advisor_tool_result",
        "tool_use_id": "srvtoolu_8",
        "content": {"type": "advisor_redacted_result", "encrypted_content": "opaque=="},
    },
    {"type": "compaction", "content": "What was said before.", "signature": "c2ln"},
]
_THINKING = [
    {"type": "thinking", "thinking": "Let me see \u2026", "signature": "EqoBCkgIAR=="},
    {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3="},
]
_TOOL_TURNS = [
    {
        "role": "assistant",
        "content": [
            *_THINKING,
            {"type": "text", "text": "I look.", "citations": _CITATIONS},
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "weather",
                "input": {"model": "auto", "n": 1.0},
                **_CACHED,
            },
            {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
            {"type": "tool_use", "id": "toolu_3", "name": "weather", "input": {}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"},
            {
                "type": "tool_result",
                "tool_use_id": "toolu_2",
                "is_error": True,
                "content": [_TEXT, _IMAGES[0], _DOCUMENTS[1], _SEARCH_RESULT],
            },
            {
                "type": "tool_result",
                "tool_use_id": "toolu_3",
                "content": [{"type": "tool_reference", "tool_name": "weather"}],
            },
        ],
    },
]
_TOOLS = [
    {"name": "weather", "description": "d", "input_schema": _SCHEMA, **_CACHED},
    {"type": "custom", "name": "other", "input_schema": {"type": "object"}, "strict": True},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "code_execution_20250825", "name": "code_execution"},
]


def _asked(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"model": _NAME, "max_tokens": 1024, "messages": messages, **more}


_USER = {"role": "user", "content": "Why is the sky blue?"}

#: JSON that only a parser would call equal to its plain form.
ODD_REQUESTS = {
    "whitespace everywhere": (
        b'\n\t {  "max_tokens"\t:\r\n 10 ,"model" :\t ' + MODEL + b'\n ,"messages":[ { "content"'
        b' :"hi" ,\n"role": "user"  } ] }  \r\n'
    ),
    "the model comes last": (
        b'{"messages":[{"role":"user","content":"hi"}],"max_tokens":10,"model":' + MODEL + b"}"
    ),
    "escapes": (
        b'{"mod\\u0065l":' + MODEL + b',"max_tokens":10,"messages":[{"role":"user","content":'
        b'"\\u0047r\\u00f6\\u00DFe \\/ \\ud83d\\ude00 \\"model\\": \\"auto\\" \\b\\f\\t"}]}'
    ),
    "numbers": (
        b'{"max_tokens":10,"temperature":1.0,"top_p":1e-1,"x":[1E+2,-0,-0.0,0.1000000000000000055,'
        + b"7" * 400
        + b',123456789012345678901234567890.5,1e2],"model":'
        + MODEL
        + b',"messages":[{"role":"user","content":"hi"}]}'
    ),
    "other models inside": (
        b'{"x":{"model":"auto"},"y":[{"model":"auto"}],"metadata":{"model":"auto"},"z":'
        b'"\\"model\\":\\"auto\\"","model":'
        + MODEL
        + b',"Model":"auto","model ":"auto","max_tokens":10,"messages":'
        b'[{"role":"user","content":"{\\"model\\": \\"auto\\"}","model":"auto"}]}'
    ),
    "not ASCII": (
        '{"größe":"10 µm","\u65e5\u672c":"\u8a9e \U0001f600 \u2028","max_tokens":10,"messages":'
        '[{"role":"user","content":"\u05e9\u05dc\u05d5\u05dd e\u0301 \x7f"}],"model":'.encode()
        + MODEL
        + b"}"
    ),
    "unknown and repeated fields": (
        b'{"future":{"a":null,"a":true,"":[]},"x":1,"x":2,"model":'
        + MODEL
        + b',"max_tokens":10,"messages":[{"role":"user","content":"hi","new":{}}],"empty":{}}'
    ),
}

ANTHROPIC_REQUESTS = {
    "plain": request_bytes(_asked([_USER])),
    "text blocks": request_bytes(
        _asked(
            [
                {"role": "user", "content": [_TEXT | _CACHED, _TEXT | {"citations": _CITATIONS}]},
                {"role": "assistant", "content": "It"},
            ],
            system=[_TEXT | _CACHED, {"type": "text", "text": "Be brief."}],
        )
    ),
    "images": request_bytes(_asked([{"role": "user", "content": [*_IMAGES, _TEXT]}])),
    "documents": request_bytes(
        _asked([{"role": "user", "content": [*_DOCUMENTS, _SEARCH_RESULT, _TEXT]}])
    ),
    "tools and thinking": request_bytes(
        _asked(
            [_USER, *_TOOL_TURNS],
            tools=_TOOLS,
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
    ),
    "server tools": request_bytes(
        _asked([_USER, {"role": "assistant", "content": [*_SERVER_RESULTS, _TEXT]}, _USER])
    ),
    "beta blocks": request_bytes(
        _asked(
            [_USER, {"role": "assistant", "content": _BETA_RESULTS}, _USER],
            mcp_servers=[{"type": "url", "url": "https://example.com/mcp", "name": "mine"}],
            container={"id": "container_1", "skills": []},
            context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        )
    ),
    "a block of the future": request_bytes(
        _asked([{"role": "user", "content": [{"type": "hologram", "data": {"model": "x"}}, _TEXT]}])
    ),
    "every parameter": request_bytes(
        _asked(
            [_USER],
            metadata={"user_id": "u-1"},
            service_tier="auto",
            stop_sequences=["END", "\n\nHuman:"],
            temperature=0.7,
            top_k=5,
            top_p=0.9,
            system="Be brief.",
            output_config={"format": {"type": "json_schema", "schema": _SCHEMA}},
            inference_geo="us",
        )
    ),
    "indented": request_bytes(_asked([_USER, *_TOOL_TURNS]), indent=4, ensure_ascii=True),
    "compact": request_bytes(_asked([_USER, *_TOOL_TURNS]), separators=(",", ":")),
    **ODD_REQUESTS,
}

# --- Messages: replies ----------------------------------------------------------------------

_USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 15,
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    "service_tier": "standard",
}


def _message(content: list[dict[str, Any]], stop: str | None = "end_turn", **more: Any) -> dict:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": "claude-large-20250101",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": _USAGE,
        **more,
    }


def _dumped(value: Any, **how: Any) -> bytes:
    return json.dumps(value, **{"ensure_ascii": False} | how).encode()


ANTHROPIC_REPLIES = {
    "text with citations": _dumped(_message([_TEXT | {"citations": _CITATIONS}])),
    "thinking": _dumped(_message([*_THINKING, _TEXT])),
    "tools": _dumped(
        _message(
            [_TEXT, {"type": "tool_use", "id": "toolu_1", "name": "w", "input": {"a": [1, None]}}],
            "tool_use",
        )
    ),
    "server tools": _dumped(_message([*_SERVER_RESULTS, _TEXT], container={"id": "c_1"})),
    "beta blocks": _dumped(_message([*_BETA_RESULTS, _TEXT])),
    "a pause": _dumped(_message(_SERVER_RESULTS[:1], "pause_turn")),
    "a refusal": _dumped(_message([], "refusal")),
    "a block of the future": _dumped(_message([{"type": "hologram", "data": [1.0]}, _TEXT])),
    "indented and escaped": _dumped(_message([_TEXT]), indent=2, ensure_ascii=True),
    "odd bytes": (
        b' {"usage" : {"output_tokens":1,"input_tokens":2},"x":[1.0,1e2,-0,'
        + b"9" * 300
        + b'],"model":"m","model_":{"model":"auto"},\r\n"content":[{"text":"\\u0061\\/\xc3\x9f",'
        b'"type":"text"}],"type":"message","role":"assistant","stop_reason":"end_turn"}\n'
    ),
}

# --- Messages: streams ----------------------------------------------------------------------


def _block_events(
    index: int, block: dict[str, Any], deltas: list[dict[str, Any]] | None = None
) -> list[bytes]:
    start = {"type": "content_block_start", "index": index, "content_block": block}
    parts = [
        event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": one})
        for one in deltas or []
    ]
    stop = event("content_block_stop", {"type": "content_block_stop", "index": index})
    return [event("content_block_start", start), *parts, stop]


_START = event("message_start", {"type": "message_start", "message": _message([], None)})
_PING = event("ping", {"type": "ping"})
_STOP = [
    event(
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 89},
        },
    ),
    event("message_stop", {"type": "message_stop"}),
]
_TEXT_EVENTS = _block_events(
    0,
    {"type": "text", "text": ""},
    [{"type": "text_delta", "text": text} for text in ("The sky ", "is blue \u2713", "\n\n. \x7f")],
)
_INPUT_DELTAS = [
    {"type": "input_json_delta", "partial_json": piece}
    for piece in ("", '{"ci', 'ty": "Pa', 'ris"}')
]

ANTHROPIC_STREAMS: dict[str, list[bytes]] = {
    "text": [_START, _PING, *_TEXT_EVENTS, *_STOP],
    "every block and delta": [
        _START,
        _PING,
        *_block_events(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "Let me see \u2026"},
                {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h=="},
            ],
        ),
        *_block_events(1, _THINKING[1]),
        *_block_events(
            2,
            {"type": "text", "text": "", "citations": []},
            [
                *({"type": "citations_delta", "citation": one} for one in _CITATIONS),
                {"type": "text_delta", "text": "blue"},
            ],
        ),
        *_block_events(
            3,
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
            _INPUT_DELTAS,
        ),
        *_block_events(
            4,
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            _INPUT_DELTAS,
        ),
        _PING,
        *(
            piece
            for place, block in enumerate([*_SERVER_RESULTS[1:], *_BETA_RESULTS], start=5)
            for piece in _block_events(place, block)
        ),
        *_STOP,
    ],
    "an error of the provider": [
        _START,
        *_TEXT_EVENTS[:2],
        event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}),
    ],
    "events of the future": [
        _START,
        event("hologram_start", {"type": "hologram_start", "data": {"model": "x"}}),
        *_TEXT_EVENTS[:1],
        event(
            "content_block_delta",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "smell_delta", "x": 1.0}},
        ),
        *_TEXT_EVENTS[1:],
        *_STOP,
    ],
    "comments and other fields": [
        b": keep-alive\n\n",
        b"id: 1\nretry: 3000\n" + _START,
        b":\n\n",
        b'event:ping\ndata:{ "type" : "ping" }\n\n',
        *_TEXT_EVENTS,
        b'data: {"type": "message_delta",\ndata:  "delta": {"stop_reason": "end_turn"},\n'
        b'data: "usage": {"output_tokens": 3}}\nevent: message_delta\n\n',
        _STOP[1],
    ],
    "lines end with CR LF": [
        piece.replace(b"\n", b"\r\n") for piece in (_START, _PING, *_TEXT_EVENTS, *_STOP)
    ],
}

# --- Chat Completions: requests ---------------------------------------------------------------

_FUNCTION = {"name": "weather", "description": "d", "parameters": _SCHEMA, "strict": True}
_CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"model": "auto"}'},
    },
    {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}},
]
_PARTS = [
    {"type": "text", "text": "Größe \u2713"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0=", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JV"}},
]


def _chat(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"model": _NAME, "messages": messages, **more}


OPENAI_REQUESTS = {
    "plain": request_bytes(_chat([_USER])),
    "every role": request_bytes(
        _chat(
            [
                {"role": "developer", "content": "Be brief."},
                {"role": "system", "content": [{"type": "text", "text": "Be kind."}], "name": "s"},
                {"role": "user", "content": "first", "name": "ann"},
                {"role": "assistant", "content": None, "tool_calls": _CALLS},
                {"role": "tool", "tool_call_id": "call_1", "content": "18 °C"},
                {
                    "role": "tool",
                    "tool_call_id": "call_2",
                    "content": [{"type": "text", "text": "a"}],
                },
                {"role": "assistant", "content": "", "refusal": None, "audio": {"id": "audio_1"}},
                {
                    "role": "assistant",
                    "content": [{"type": "refusal", "refusal": "No."}],
                    "refusal": "No.",
                },
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "old", "arguments": "{}"},
                },
                {"role": "function", "name": "old", "content": "done"},
                {"role": "user", "content": "and now?"},
            ]
        )
    ),
    "every part": request_bytes(_chat([{"role": "user", "content": _PARTS}])),
    "a part of the future": request_bytes(
        _chat([{"role": "user", "content": [_PARTS[0], {"type": "hologram", "model": "x"}]}])
    ),
    "tools": request_bytes(
        _chat(
            [_USER],
            tools=[
                {"type": "function", "function": _FUNCTION},
                {"type": "custom", "custom": {"name": "sh", "format": {"type": "text"}}},
            ],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            parallel_tool_calls=False,
        )
    ),
    "every parameter": request_bytes(
        _chat(
            [_USER],
            frequency_penalty=0.5,
            logit_bias={"50256": -100},
            logprobs=True,
            top_logprobs=2,
            max_completion_tokens=100,
            metadata={"model": "auto"},
            modalities=["text"],
            n=1,
            prediction={"type": "content", "content": "x"},
            presence_penalty=-0.5,
            prompt_cache_key="k",
            reasoning_effort="low",
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
            },
            safety_identifier="s",
            seed=9_007_199_254_740_993,
            service_tier="auto",
            stop=["END"],
            store=False,
            temperature=1.0,
            top_p=0.1,
            user="u-1",
            verbosity="low",
            web_search_options={"search_context_size": "low"},
        )
    ),
    "functions as they once were": request_bytes(
        _chat([_USER], functions=[_FUNCTION], function_call="auto", max_tokens=5)
    ),
    "indented": request_bytes(_chat([_USER], stop="END"), indent=4, ensure_ascii=True),
    **ODD_REQUESTS,
}

# --- Chat Completions: replies ----------------------------------------------------------------

_LOGPROBS = {
    "content": [
        {
            "token": "Gr\u00f6\u00dfe",
            "logprob": -3.1281633e-07,
            "bytes": [71, 114],
            "top_logprobs": [{"token": "a", "logprob": -9999.0, "bytes": None}],
        }
    ],
    "refusal": None,
}
_COUNTED = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 2,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def _completion(messages: list[dict[str, Any]], finish: str = "stop", **more: Any) -> dict:
    choices = [
        {"index": place, "message": one, "logprobs": None, "finish_reason": finish}
        for place, one in enumerate(messages)
    ]
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-large-2025-01-01",
        "choices": choices,
        "usage": _COUNTED,
        "service_tier": "default",
        "system_fingerprint": None,
        **more,
    }


_SAID = {"role": "assistant", "content": "Blue \u2713", "refusal": None, "annotations": []}
_LOGGED = _completion([_SAID])
_LOGGED["choices"][0]["logprobs"] = _LOGPROBS

OPENAI_REPLIES = {
    "text": _dumped(_completion([_SAID])),
    "two choices": _dumped(_completion([_SAID, _SAID | {"content": "Grey"}])),
    "log probabilities": _dumped(_LOGGED),
    "tool calls": _dumped(
        _completion([_SAID | {"content": None, "tool_calls": _CALLS}], "tool_calls")
    ),
    "a refusal": _dumped(_completion([_SAID | {"content": None, "refusal": "No."}])),
    "annotations and audio": _dumped(
        _completion(
            [
                _SAID
                | {
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url_citation": {
                                "start_index": 0,
                                "end_index": 4,
                                "url": "https://example.com",
                                "title": "T",
                            },
                        }
                    ],
                    "audio": {"id": "a", "expires_at": 1, "data": "UklG", "transcript": "Blue"},
                }
            ]
        )
    ),
    "filtered": _dumped(_completion([_SAID | {"content": ""}], "content_filter")),
    "fields of the future": _dumped(_completion([_SAID | {"mood": {"model": "x"}}], new=[1.0])),
    "indented and escaped": _dumped(_completion([_SAID]), indent=2, ensure_ascii=True),
    "odd bytes": (
        b' {"usage" : {"completion_tokens":1,"prompt_tokens":2,"total_tokens":3},"x":[1.0,1e2,-0,'
        + b"9" * 300
        + b'],"model":"m","z":{"model":"auto"},\r\n"choices":[{"message":{"content":'
        b'"\\u0061\\/\xc3\x9f","role":"assistant"},"finish_reason":"stop","index":0}],'
        b'"object":"chat.completion","id":"c","created":1}\n'
    ),
}

# --- Chat Completions: streams ------------------------------------------------------------------


def _chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1694268190,
        "model": "gpt-large-2025-01-01",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [] if delta is None else [choice],
        "usage": None,
        **more,
    }


_DONE = b"data: [DONE]\n\n"
_COUNT_CHUNK = chunk(_chunk(None, usage=_COUNTED))
_FIRST = chunk(_chunk({"role": "assistant", "content": "", "refusal": None}))
_LOGGED_CHUNK = _chunk({"content": "blue"})
_LOGGED_CHUNK["choices"][0]["logprobs"] = _LOGPROBS

#: As a provider sends them when usage was asked for.
OPENAI_STREAMS: dict[str, list[bytes]] = {
    "text": [
        _FIRST,
        *(
            chunk(_chunk({"content": text}))
            for text in ("The sky ", "is blue \u2713", "\n\n. \x7f")
        ),
        chunk(_chunk({}, "stop")),
        _COUNT_CHUNK,
        _DONE,
    ],
    "tool calls": [
        _FIRST,
        *(
            chunk(_chunk({"tool_calls": [call]}))
            for call in (
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": ""},
                },
                {"index": 0, "function": {"arguments": '{"usage":'}},
                {"index": 0, "function": {"arguments": "null}"}},
                {
                    "index": 1,
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "weather", "arguments": "{}"},
                },
            )
        ),
        chunk(_chunk({}, "tool_calls")),
        _COUNT_CHUNK,
        _DONE,
    ],
    "a refusal and log probabilities": [
        _FIRST,
        chunk(_LOGGED_CHUNK),
        chunk(_chunk({"refusal": "No."}, obfuscation="aB3")),
        chunk(_chunk({}, "stop")),
        _COUNT_CHUNK,
        _DONE,
    ],
    "comments and odd bytes": [
        b": PROCESSING\n\n",
        _FIRST,
        b'data:{"choices" : [{"index":0,"delta":{"content":"\\u0061\\/\\"usage\\":null,"},'
        b'"finish_reason":null}],"usage" :\tnull ,"id":"c","object":"chat.completion.chunk",'
        b'"created":1.0,"model":"m","new":{"usage":null}}\n\n',
        b"id: 1\n" + chunk(_chunk({}, "stop")),
        _COUNT_CHUNK,
        _DONE,
    ],
    "lines end with CR LF": [
        piece.replace(b"\n", b"\r\n")
        for piece in (
            _FIRST,
            chunk(_chunk({"content": "blue"})),
            chunk(_chunk({}, "stop")),
            _COUNT_CHUNK,
            _DONE,
        )
    ],
    "an error of the provider": [
        _FIRST,
        chunk(_chunk({"content": "blue"})),
        chunk({"error": {"message": "Busy", "type": "server_error", "code": None}}),
    ],
}
