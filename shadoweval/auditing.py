"""Ask pip-audit for known faults of pinned packages; where no index answers, say so and go on.

`python -m shadoweval.auditing constraints.txt`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_LIMIT_S = 180


def run(requirements: str) -> int:
    """Return 0 when no fault is known or nobody could be asked, 1 when one is.

    The first package is asked about alone: an index that answers for none takes minutes for all.

    Args:
        requirements: a file with a version for each package.
    """
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as first:
            first.write(Path(requirements).read_text().splitlines()[0])
            first.flush()
            code, lines, is_known = told(_asked(first.name))
        if is_known:
            code, lines, _ = told(_asked(requirements))
    except (subprocess.TimeoutExpired, ValueError, LookupError) as exc:
        code, lines = 0, [f"audit skipped: the index cannot be asked ({type(exc).__name__})"]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return code


def _asked(requirements: str) -> list[dict[str, Any]]:
    """Return what pip-audit lists for a file of pinned packages."""
    asked = [sys.executable, "-m", "pip_audit", "--requirement", requirements, "--no-deps",
             "--disable-pip", "--progress-spinner", "off", "--timeout", "10",
             "--format", "json"]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own arguments
        asked, capture_output=True, text=True, timeout=_LIMIT_S
    )
    packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    return packages


def told(packages: list[dict[str, Any]]) -> tuple[int, list[str], bool]:
    """Return the exit code, what to say, and whether the index knows any package.

    Args:
        packages: as pip-audit lists them: name, version and vulns, or skip_reason.
    """
    known = [one for one in packages if "skip_reason" not in one]
    if not known:
        names = ", ".join(one["name"] for one in packages[:3])
        return 0, [f"audit skipped: the index was asked about {names} and does not know it"], False
    lines = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version'}"
        for one in known
        for fault in one["vulns"]
    ]
    said = f"{len(known)} of {len(packages)} packages asked about, {len(lines)} known faults"
    return int(bool(lines)), [*lines, said], True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
