"""Two thousand generated requests over the whole document, good and bad, against the service.

The examples are the same in each run, without a seed that one could forget.
"""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
EXAMPLES = 2_000


def test_no_generated_request_breaks_the_service_or_its_document(service, api_key, tmp_path):
    report = tmp_path / "report.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{service}/api/v1/openapi.json",
        "--checks", ",".join(CHECKS), "--mode", "all", "--phases", "examples,coverage,fuzzing",
        "--max-examples", "90",
        "--generation-deterministic", "--header", f"x-api-key: {api_key}", "--continue-on-failure",
        "--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off",
        "--report", "json", "--report-json-path", str(report), "--no-color",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert report.exists(), ran.stdout[-4000:] + ran.stderr[-4000:]
    result = json.loads(report.read_text())
    cases = result["test_cases"]
    print(f"{cases['generated']} examples, {cases['with_failures']} with failures")
    assert (ran.returncode, result["failures"], result["errors"]) == (0, [], []), ran.stdout[-8000:]
    tested, selected = result["operations"]["tested"], result["operations"]["selected"]
    assert tested == selected > 0
    assert cases["generated"] >= EXAMPLES
