"""The real Python clients through the whole service, against both kinds of provider."""

import asyncio
import base64
import json
import threading

import anthropic
import openai
import pytest

from tests.routing.conformance.provider import (
    CACHED,
    COUNTED,
    INPUT,
    JSON_TEXT,
    OUTPUT,
    RETRY_AFTER,
    TEXT,
    TOOL_INPUT,
)
from tests.routing.conftest import ALL_CHEAP

PROVIDERS = ("anthropic", "openai")
LIMIT_S = 20
SYSTEM = "Answer in one line."
QUESTION = "Why is the sky blue? Größe ✓"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not a picture").decode()
TURNS = [
    {"role": "user", "content": "first question"},
    {"role": "assistant", "content": "first answer"},
    {"role": "user", "content": "second question"},
]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
ANTHROPIC_TOOL = {"name": "weather", "description": "Looks it up.", "input_schema": SCHEMA}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Looks it up.", "parameters": SCHEMA},
}


@pytest.fixture(params=PROVIDERS)
def tier(request, point):
    """Both tiers at a provider of one kind; returns its name."""
    point(cheap=f"{request.param}:small", expensive=f"{request.param}:large")
    return request.param


@pytest.fixture
def claude(service, api_key):
    with anthropic.Anthropic(
        base_url=service, api_key=api_key, max_retries=0, timeout=LIMIT_S
    ) as client:
        yield client


@pytest.fixture
def gpt(service, api_key):
    with openai.OpenAI(
        base_url=f"{service}/v1", api_key=api_key, max_retries=0, timeout=LIMIT_S
    ) as client:
        yield client


def ask_claude(client, content=QUESTION, **more):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return client.messages.create(
        **{"model": "auto", "max_tokens": 50, "messages": messages} | more
    )


def ask_gpt(client, content=QUESTION, **more):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return client.chat.completions.create(**{"model": "auto", "messages": messages} | more)


def stream_claude(client, content=QUESTION, **more):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    asked = {"model": "auto", "max_tokens": 50, "messages": messages} | more
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def stream_gpt(client, content=QUESTION, **more):
    return list(ask_gpt(client, content, stream=True, **more))


def text_of(chunks):
    return "".join(one.delta.content or "" for chunk in chunks for one in chunk.choices)


def said(body):
    """Return the body's messages as (role, text), whatever the wire; the system text first."""
    messages = body["messages"]
    if "system" in body:
        messages = [{"role": "system", "content": body["system"]}, *messages]
    return [(one["role"], flat(one.get("content") or "")) for one in messages]


def flat(content):
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


# --- the Anthropic client


@pytest.mark.parametrize("ask", [ask_claude, stream_claude])
def test_claude_client_gets_text_and_usage(claude, tier, provider, ask):
    got = ask(claude)
    assert [(block.type, block.text) for block in got.content] == [("text", TEXT)]
    assert (got.type, got.role, got.stop_reason) == ("message", "assistant", "end_turn")
    assert got.usage.input_tokens == INPUT
    assert (got.usage.cache_read_input_tokens or 0, got.usage.output_tokens) == (CACHED, OUTPUT)
    assert provider.last.json["model"] == "large"
    assert said(provider.last.json) == [("user", QUESTION)]


@pytest.mark.parametrize("ask", [ask_claude, stream_claude])
def test_claude_clients_system_and_turns_reach_the_provider_in_order(claude, tier, provider, ask):
    ask(claude, TURNS, system=SYSTEM)
    assert said(provider.last.json) == [
        ("system", SYSTEM),
        ("user", "first question"),
        ("assistant", "first answer"),
        ("user", "second question"),
    ]


@pytest.mark.parametrize("ask", [ask_claude, stream_claude])
def test_claude_client_calls_a_tool_and_sends_its_result(claude, tier, provider, ask):
    first = ask(claude, tools=[ANTHROPIC_TOOL], tool_choice={"type": "any"})
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("weather", TOOL_INPUT)
    seen = provider.last.json
    if tier == "openai":
        assert seen["tools"][0]["function"]["parameters"] == SCHEMA
        assert seen["tool_choice"] == "required"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 °C"}
    turns = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": [block.model_dump() for block in first.content]},
        {"role": "user", "content": [result]},
    ]
    second = ask(claude, turns, tools=[ANTHROPIC_TOOL])
    assert second.content[0].text == TEXT
    messages = provider.last.json["messages"]
    if tier == "openai":
        sent = messages[1]["tool_calls"][0]
        assert json.loads(sent["function"]["arguments"]) == TOOL_INPUT
        answer = messages[2]
        assert (answer["role"], answer["tool_call_id"]) == ("tool", sent["id"])
        assert flat(answer["content"]) == "18 °C"
    else:
        assert messages[2]["content"] == [result]


def test_claude_clients_image_reaches_the_provider(claude, tier, provider):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    assert ask_claude(claude, [{"role": "user", "content": parts}]).content[0].text == TEXT
    image, text = provider.last.json["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    if tier == "openai":
        assert image["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    else:
        assert image["source"] == source


def test_claude_clients_parameters_reach_the_provider(claude, tier, provider):
    got = ask_claude(
        claude,
        stop_sequences=["END", "STOP"],
        metadata={"user_id": "u-1"},
        extra_body={"temperature": 0.5, "top_p": 0.75},  # the client has no names for these now
        system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
    )
    seen = provider.last.json
    if tier == "openai":
        assert seen["stop"] == ["END", "STOP"]
        assert seen.get("max_completion_tokens", seen.get("max_tokens")) == 50
        assert "cache_control" not in json.dumps(seen)
        assert got.stop_reason == "end_turn"
    else:
        assert (seen["stop_sequences"], seen["max_tokens"]) == (["END", "STOP"], 50)
        assert seen["metadata"] == {"user_id": "u-1"}
        assert seen["system"][0]["cache_control"] == {"type": "ephemeral"}
        assert (got.stop_reason, got.stop_sequence) == ("stop_sequence", "END")
    assert (seen["temperature"], seen["top_p"]) == (0.5, 0.75)


def test_claude_client_counts_tokens(claude, point, provider):
    point()
    asked = {"model": "auto", "messages": [{"role": "user", "content": QUESTION}]}
    assert claude.messages.count_tokens(**asked).input_tokens == COUNTED
    assert provider.last.path == "/v1/messages/count_tokens"
    assert provider.last.json == asked | {"model": "large"}


def test_claude_client_counts_no_tokens_where_the_provider_cannot(claude, point, provider):
    point(expensive="openai:large")
    messages = [{"role": "user", "content": QUESTION}]
    with pytest.raises(anthropic.APIStatusError) as raised:
        claude.messages.count_tokens(model="auto", messages=messages)
    assert raised.value.status_code in (400, 404, 501)
    assert raised.value.body["type"] == "error"
    assert not provider.seen


def test_claude_clients_betas_reach_the_provider(claude, point, provider):
    point()
    got = claude.beta.messages.create(
        model="auto",
        max_tokens=50,
        messages=[{"role": "user", "content": QUESTION}],
        betas=["files-api-2025-04-14", "context-1m-2025-08-07"],
        extra_query={"beta": "true"},  # earlier clients send it by themselves
    )
    assert got.content[0].text == TEXT
    assert provider.last.path == "/v1/messages?beta=true"
    betas = provider.last.headers["anthropic-beta"].replace(" ", "")
    assert betas == "files-api-2025-04-14,context-1m-2025-08-07"
    version = claude.default_headers["anthropic-version"]
    assert provider.last.headers["anthropic-version"] == version


def test_claude_clients_betas_do_not_disturb_an_openai_provider(claude, point, provider):
    point(expensive="openai:large")
    messages = [{"role": "user", "content": QUESTION}]
    with claude.beta.messages.stream(
        model="auto", max_tokens=50, messages=messages, betas=["files-api-2025-04-14"]
    ) as stream:
        assert stream.get_final_message().content[0].text == TEXT
    assert provider.last.path == "/v1/chat/completions"


def test_claude_client_lists_the_models(claude, point):
    point()
    listed = list(claude.models.list())
    assert {"auto", "small", "large"} <= {model.id for model in listed}
    assert all(model.type == "model" and model.display_name for model in listed)


# --- the OpenAI client


def test_gpt_client_gets_text_and_usage(gpt, tier, provider):
    got = ask_gpt(gpt)
    choice = got.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", TEXT)
    assert (got.object, choice.index, choice.finish_reason) == ("chat.completion", 0, "stop")
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (INPUT + CACHED, OUTPUT)
    assert got.usage.total_tokens == INPUT + CACHED + OUTPUT
    assert got.usage.prompt_tokens_details.cached_tokens == CACHED
    assert provider.last.json["model"] == "large"
    assert said(provider.last.json) == [("user", QUESTION)]


def test_gpt_client_gets_text_as_a_stream(gpt, tier):
    chunks = stream_gpt(gpt)
    assert text_of(chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_gpt_client_gets_usage_in_a_last_chunk_when_it_asks(gpt, tier):
    *before, last = stream_gpt(gpt, stream_options={"include_usage": True})
    assert text_of(before) == TEXT
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (INPUT + CACHED, OUTPUT)
    assert all(chunk.usage is None for chunk in before)
    assert all("usage" in chunk.model_fields_set for chunk in before)


@pytest.mark.parametrize("ask", [ask_gpt, stream_gpt])
@pytest.mark.parametrize("role", ["system", "developer"])
def test_gpt_clients_system_and_turns_reach_the_provider_in_order(gpt, tier, provider, ask, role):
    ask(gpt, [{"role": role, "content": SYSTEM}, *TURNS])
    assert said(provider.last.json) == [
        ("system" if tier == "anthropic" else role, SYSTEM),
        ("user", "first question"),
        ("assistant", "first answer"),
        ("user", "second question"),
    ]


def gpt_call(client, streamed, messages, **more):
    """Return the tool call and finish reason of one turn, streamed or not."""
    if not streamed:
        choice = ask_gpt(client, messages, **more).choices[0]
        (call,) = choice.message.tool_calls
        return call.id, call.function.name, call.function.arguments, choice.finish_reason
    chunks = [chunk for chunk in stream_gpt(client, messages, **more) if chunk.choices]
    parts = [part for chunk in chunks for part in chunk.choices[0].delta.tool_calls or []]
    assert {part.index for part in parts} == {0}
    arguments = "".join(part.function.arguments or "" for part in parts)
    first = parts[0]
    return first.id, first.function.name, arguments, chunks[-1].choices[0].finish_reason


@pytest.mark.parametrize("streamed", [False, True])
def test_gpt_client_calls_a_tool_and_sends_its_result(gpt, tier, provider, streamed):
    turns = [{"role": "user", "content": QUESTION}]
    call_id, name, arguments, finish = gpt_call(
        gpt, streamed, turns, tools=[OPENAI_TOOL], tool_choice="required"
    )
    assert (name, json.loads(arguments), finish) == ("weather", TOOL_INPUT, "tool_calls")
    if tier == "anthropic":
        seen = provider.last.json
        assert (seen["tools"][0]["name"], seen["tools"][0]["input_schema"]) == ("weather", SCHEMA)
        assert seen["tool_choice"]["type"] == "any"
    function = {"name": name, "arguments": arguments}
    called = {"id": call_id, "type": "function", "function": function}
    turns += [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call_id, "content": "18 °C"},
    ]
    if streamed:
        assert text_of(stream_gpt(gpt, turns, tools=[OPENAI_TOOL])) == TEXT
    else:
        assert ask_gpt(gpt, turns, tools=[OPENAI_TOOL]).choices[0].message.content == TEXT
    messages = provider.last.json["messages"]
    if tier == "anthropic":
        use = next(part for part in messages[1]["content"] if part["type"] == "tool_use")
        result = messages[2]["content"][0]
        assert use["input"] == TOOL_INPUT
        assert (messages[2]["role"], result["type"]) == ("user", "tool_result")
        assert (result["tool_use_id"], flat(result["content"])) == (use["id"], "18 °C")
    else:
        assert messages == turns


def test_gpt_clients_image_reaches_the_provider(gpt, tier, provider):
    url = f"data:image/png;base64,{PIXEL}"
    parts = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What is this?"},
    ]
    got = ask_gpt(gpt, [{"role": "user", "content": parts}])
    assert got.choices[0].message.content == TEXT
    image, text = provider.last.json["messages"][0]["content"]
    assert text["text"] == "What is this?"
    if tier == "anthropic":
        assert image["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL}
    else:
        assert image["image_url"]["url"] == url


def test_gpt_clients_parameters_reach_the_provider(gpt, tier, provider):
    sent = {
        "max_completion_tokens": 77,
        "stop": ["END", "STOP"],
        "temperature": 0.5,
        "top_p": 0.75,
        "seed": 7,
        "user": "u-1",
    }
    got = ask_gpt(gpt, **sent)
    assert got.choices[0].finish_reason == "stop"
    seen = provider.last.json
    if tier == "anthropic":
        assert (seen["max_tokens"], seen["stop_sequences"]) == (77, ["END", "STOP"])
        assert (seen["temperature"], seen["top_p"]) == (0.5, 0.75)
        assert seen["metadata"] == {"user_id": "u-1"}
        assert not {"max_completion_tokens", "stop", "seed", "user"} & set(seen)
    else:
        assert {name: seen[name] for name in sent} == sent


def test_gpt_clients_missing_limit_becomes_one_where_the_provider_needs_it(gpt, point, provider):
    point(expensive="anthropic:large")
    ask_gpt(gpt)
    assert provider.last.json["max_tokens"] >= 1


def test_gpt_clients_json_schema_reaches_the_provider(gpt, tier, provider):
    form = {"name": "place", "strict": True, "schema": SCHEMA}
    got = ask_gpt(gpt, response_format={"type": "json_schema", "json_schema": form})
    assert got.choices[0].message.content == JSON_TEXT
    seen = provider.last.json
    if tier == "anthropic":
        assert seen["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
        assert "response_format" not in seen
    else:
        assert seen["response_format"] == {"type": "json_schema", "json_schema": form}


def test_gpt_client_lists_the_models(gpt, point):
    point()
    listed = list(gpt.models.list())
    assert {"auto", "small", "large"} <= {model.id for model in listed}
    assert {model.object for model in listed} == {"model"}


def test_each_provider_gets_a_key_in_its_own_header_and_never_the_clients(
    gpt, claude, tier, provider, api_key
):
    ask_gpt(gpt)
    ask_claude(claude)
    for seen in provider.seen:
        assert ("authorization" if tier == "openai" else "x-api-key") in seen.headers
        assert not any(api_key in value for value in seen.headers.values())


# --- faults


def within_limit(call):
    """Return the exception that a call raises, or fail when it does not end in time."""
    raised = []

    def run():
        try:
            call()
        except Exception as exc:
            raised.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert not thread.is_alive(), "the call hangs"
    assert raised, "nothing was raised"
    return raised[0]


FAULTS = {
    400: (anthropic.BadRequestError, openai.BadRequestError),
    401: (anthropic.AuthenticationError, openai.AuthenticationError),
    403: (anthropic.PermissionDeniedError, openai.PermissionDeniedError),
    404: (anthropic.NotFoundError, openai.NotFoundError),
    413: (anthropic.RequestTooLargeError, openai.APIStatusError),
    429: (anthropic.RateLimitError, openai.RateLimitError),
    500: (anthropic.InternalServerError, openai.InternalServerError),
    529: (anthropic.OverloadedError, openai.InternalServerError),
}
#: Anthropic's own name of each status.
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@pytest.mark.parametrize("ask", [ask_claude, stream_claude])
@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("status", FAULTS)
def test_claude_client_raises_its_own_class(claude, point, kind, status, ask):
    point(expensive=f"{kind}:fault-{status}")
    raised = within_limit(lambda: ask(claude))
    assert type(raised) is FAULTS[status][0]
    assert raised.status_code == status
    assert (raised.body["type"], raised.type) == ("error", KINDS[status])
    assert f"played {status}" in raised.api_message
    if status == 429:
        assert raised.response.headers["retry-after"] == RETRY_AFTER


@pytest.mark.parametrize("ask", [ask_gpt, stream_gpt])
@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("status", FAULTS)
def test_gpt_client_raises_its_own_class(gpt, point, kind, status, ask):
    point(expensive=f"{kind}:fault-{status}")
    raised = within_limit(lambda: ask(gpt))
    assert type(raised) is FAULTS[status][1]
    assert raised.status_code == status
    assert f"played {status}" in raised.body["message"]
    assert isinstance(raised.type, str)
    if status == 429:
        assert raised.response.headers["retry-after"] == RETRY_AFTER


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("fault", ["stall", "cut", "malformed"])
def test_claude_client_raises_when_a_stream_breaks(claude, point, settings, kind, fault):
    settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = 0.5
    point(expensive=f"{kind}:{fault}")
    got = []

    def run():
        for event in ask_claude(claude, stream=True):
            got.append(event.type)

    raised = within_limit(run)
    assert isinstance(raised, anthropic.APIStatusError)
    assert (raised.type, raised.body["type"]) == ("api_error", "error")
    assert got[0] == "message_start"
    assert "content_block_delta" in got
    assert "message_stop" not in got


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("fault", ["stall", "cut", "malformed"])
def test_gpt_client_raises_when_a_stream_breaks(gpt, point, settings, kind, fault):
    settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = 0.5
    point(expensive=f"{kind}:{fault}")
    got = []

    def run():
        for chunk in ask_gpt(gpt, stream=True):
            got.append(chunk)

    raised = within_limit(run)
    assert type(raised) is openai.APIError
    assert isinstance(raised.body["message"], str)
    assert TEXT.startswith(text_of(got))
    assert text_of(got) not in ("", TEXT)


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("fault", ["cut", "malformed"])
def test_both_clients_raise_when_a_whole_answer_breaks(claude, gpt, point, kind, fault):
    point(expensive=f"{kind}:{fault}")
    raised = within_limit(lambda: ask_claude(claude))
    assert isinstance(raised, anthropic.InternalServerError)
    assert (raised.status_code, raised.type) == (502, "api_error")
    raised = within_limit(lambda: ask_gpt(gpt))
    assert isinstance(raised, openai.InternalServerError)
    assert raised.status_code == 502


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_provider_that_is_slow_to_begin_is_waited_for(claude, gpt, point, kind, settings):
    settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = 0.1
    point(expensive=f"{kind}:slow-first-byte")
    assert ask_claude(claude).content[0].text == TEXT
    assert ask_gpt(gpt).choices[0].message.content == TEXT


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("status", [400, 429, 529])
def test_a_cheap_tier_that_fails_before_the_first_byte_is_replaced(
    claude, gpt, point, provider, kind, status
):
    point(cheap=f"{kind}:fault-{status}", expensive=f"{kind}:large", threshold=ALL_CHEAP)
    assert stream_claude(claude).content[0].text == TEXT
    assert text_of(stream_gpt(gpt)) == TEXT
    asked = [seen.json["model"] for seen in provider.seen]
    assert asked == [f"fault-{status}", "large"] * 2


def test_a_cheap_tier_of_one_kind_is_replaced_by_one_of_the_other(claude, gpt, point, provider):
    point(cheap="openai:fault-500", expensive="anthropic:large", threshold=ALL_CHEAP)
    assert ask_claude(claude).content[0].text == TEXT
    assert text_of(stream_gpt(gpt)) == TEXT
    paths = [seen.path for seen in provider.seen]
    assert paths == ["/v1/chat/completions", "/v1/messages"] * 2


def test_a_client_that_leaves_a_stream_ends_the_providers_call(claude, point, provider):
    point()
    provider.gap_s = 0.1
    stream = ask_claude(claude, stream=True)
    next(iter(stream))
    stream.close()
    wait_until(lambda: provider.cancelled == 1)


def wait_until(condition):
    waiting = threading.Event()
    for _ in range(500):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not happen in ten seconds")


def test_an_event_reaches_the_client_before_the_next_one_is_sent(claude, point, provider):
    point(expensive="anthropic:stall")
    stream = ask_claude(claude, stream=True)
    first = next(iter(stream))  # the provider says nothing more for a minute
    assert first.type == "message_start"
    stream.close()
    wait_until(lambda: provider.cancelled == 1)


def test_the_async_clients_are_served_too(service, api_key, point):
    point()
    asyncio.run(_ask_both(service, api_key))


async def _ask_both(service, api_key):
    messages = [{"role": "user", "content": QUESTION}]
    async with anthropic.AsyncAnthropic(
        base_url=service, api_key=api_key, max_retries=0, timeout=LIMIT_S
    ) as client:
        asked = {"model": "auto", "max_tokens": 50, "messages": messages}
        async with client.messages.stream(**asked) as stream:
            assert await stream.get_final_text() == TEXT
    async with openai.AsyncOpenAI(
        base_url=f"{service}/v1", api_key=api_key, max_retries=0, timeout=LIMIT_S
    ) as client:
        got = await client.chat.completions.create(model="auto", messages=messages)
        assert got.choices[0].message.content == TEXT
