"""Ask pip-audit for known faults of pinned packages; where no index answers, say so and go on.

`python -m shadoweval.auditing constraints.txt`
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_LIMIT_S = 180


def run(requirements: str) -> int:
    """Return 0 when no fault is known or nobody could be asked, 1 when one is.

    Args:
        requirements: a file with a version for each package.
    """
    asked = [sys.executable, "-m", "pip_audit", "--requirement", requirements, "--no-deps",
             "--disable-pip", "--progress-spinner", "off", "--timeout", "10",
             "--format", "json"]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            asked, capture_output=True, text=True, timeout=_LIMIT_S
        )
        code, lines = told(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, LookupError) as exc:
        code, lines = 0, [f"audit skipped: the index cannot be asked ({type(exc).__name__})"]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return code


def told(packages: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the exit code, and what to say; a package that the index does not know is no good one.

    Args:
        packages: as pip-audit lists them: name, version and vulns, or skip_reason.
    """
    known = [one for one in packages if "skip_reason" not in one]
    if not known:
        return 0, [f"audit skipped: the index knows none of {len(packages)} packages"]
    lines = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version'}"
        for one in known
        for fault in one["vulns"]
    ]
    said = f"{len(known)} of {len(packages)} packages asked about, {len(lines)} known faults"
    return int(bool(lines)), [*lines, said]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
