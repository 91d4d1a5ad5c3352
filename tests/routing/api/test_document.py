"""The OpenAPI document: every route, header and status, and a page that shows it."""

import re

import pytest
import schemathesis

from routing.models import ShadowJob, Upload
from routing.serving import ROUTES

OPERATIONS = {
    "POST /api/v1/route", "POST /api/v1/decide", "POST /v1/messages",
    "POST /v1/messages/count_tokens", "GET /v1/models", "POST /v1/chat/completions",
    "GET /api/v1/requests", "GET /api/v1/requests/{request_id}",
    "GET /api/v1/usage",
    "POST /api/v1/requests/{request_id}/feedback", "GET /api/v1/studies/{study_id}/export",
    "GET /api/v1/studies/{study_id}/curve", "POST /api/v1/pairs",
    "GET /api/v1/monitoring", "GET /api/v1/labels", "GET /api/v1/labels/export",
    "GET /api/v1/collections", "POST /api/v1/collections", "GET /api/v1/collections/{name}",
    "PATCH /api/v1/collections/{name}", "DELETE /api/v1/collections/{name}",
    "GET /api/v1/collections/{name}/versions", "POST /api/v1/collections/{name}/uploads",
    "GET /api/v1/collections/{name}/uploads/{upload_id}",
    "DELETE /api/v1/collections/{name}/uploads/{upload_id}",
    "GET /api/v1/collections/{name}/documents",
    "GET /api/v1/collections/{name}/documents/{key}",
    "PUT /api/v1/collections/{name}/documents/{key}",
    "DELETE /api/v1/collections/{name}/documents/{key}",
    "POST /api/v1/collections/{name}/search",
}  # fmt: skip
RESPONSE_HEADERS = {
    "request-id", "tier", "model", "score", "threshold", "policy", "reason", "task", "cost-usd",
    "overhead-ms", "shadow", "simulated", "replayed", "escalated", "confidence",
    "collection", "retrieval-strategy", "retrieval-confidence", "sources",
}  # fmt: skip
REQUEST_HEADERS = {
    "x-shadoweval-task", "x-shadoweval-tier", "x-shadoweval-session", "x-shadoweval-shadow",
    "idempotency-key",
}  # fmt: skip


@pytest.fixture
def document(client, db):
    reply = client.get("/api/v1/openapi.json")
    assert reply.status_code == 200
    return reply.json()


def operations(document):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_it_is_a_valid_document_with_every_route(document):
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    assert {found.ok().label for found in schema.get_all_operations()} == OPERATIONS
    assert set(ROUTES) <= set(document["paths"])


def test_every_reference_leads_somewhere(document):
    def walk(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            value = list(value.values())
        for item in value if isinstance(value, list) else []:
            yield from walk(item)

    for reference in set(walk(document)):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


@pytest.mark.parametrize("path", ["/api/v1/route", "/v1/messages", "/v1/chat/completions"])
def test_hot_routes_have_their_headers_in_and_out(document, path):
    operation = document["paths"][path]["post"]
    names = [one["$ref"].rsplit("/", 1)[-1] for one in operation["parameters"]]
    assert set(names) == REQUEST_HEADERS
    assert all(document["components"]["parameters"][name]["name"] == name for name in names)
    sent = set(operation["responses"]["200"]["headers"])
    assert sent == {f"x-shadoweval-{name}" for name in RESPONSE_HEADERS}


def test_every_operation_says_how_it_can_refuse(document):
    for name, operation in operations(document).items():
        statuses = set(operation["responses"])
        assert statuses >= {"400", "401", "403", "405", "429", "503"}, name
        assert statuses & {"200", "201", "202"}, name
        assert "500" not in statuses
        assert operation["summary"], name
        assert operation["description"], name
    cold = operations(document)
    assert {"409", "413"} <= set(cold["POST /api/v1/pairs"]["responses"])
    assert {"201", "404"} <= set(cold["POST /api/v1/requests/{request_id}/feedback"]["responses"])


def test_problems_have_their_content_type(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            wanted = "application/problem+json" if path.startswith("/api/") else "application/json"
            name = operation["responses"]["400"]["$ref"].rsplit("/", 1)[-1]
            assert list(document["components"]["responses"][name]["content"]) == [wanted]


def test_both_ways_to_send_a_key_are_there(document):
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKey"]["name"] == "x-api-key"
    assert schemes["bearer"]["scheme"] == "bearer"
    assert document["security"] == [{"apiKey": []}, {"bearer": []}]


def test_parameters_never_say_null(document):
    found = operations(document)["GET /api/v1/requests"]["parameters"]
    assert {one["name"] for one in found} == {
        "tier", "reason", "task", "status", "since", "until", "session", "limit", "cursor",
    }  # fmt: skip
    assert not any("null" in str(one["schema"]) for one in found)


def test_the_page_needs_no_login_and_nothing_from_elsewhere(client, db):
    reply = client.get("/api/v1/docs")
    page = reply.content.decode()
    assert reply.status_code == 200
    assert "<title>API · Shadoweval</title>" in page
    assert re.findall(r'(?:src|href)="(?!/)', page) == []
    assert "<script>" not in page
    assert "style=" not in page


def test_raters_blindness_is_explained(document):
    description = operations(document)["GET /api/v1/requests/{request_id}"]["description"]
    assert "blind" in description


def test_states_of_shadow_calls_and_uploads_are_told_apart(document):
    shapes = document["components"]["schemas"]
    assert shapes["State"]["enum"] == ShadowJob.State.values
    assert shapes["UploadShape"]["properties"]["state"]["enum"] == Upload.State.values
