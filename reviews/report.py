"""The report of a sign-off, for people who were not there: a printable page, and the same as PDF.

It says what was frozen and who signed; nothing of it is computed anew, so that it stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from reviews import audit, sentences, vectors
from reviews.errors import CannotPrint, Conflict
from reviews.models import SignOff

#: Of the points of a curve, the table has every tenth.
_EVERY = 10
_NEEDS = (
    "The PDF needs the Pango library: install libpango-1.0-0 and libpangoft2-1.0-0 (Debian, "
    "Ubuntu) or pango (macOS). Until then, print the report's page from the browser."
)


def html(row: SignOff, *, is_page: bool = True) -> str:
    """Return the report as one HTML document.

    Args:
        row: a sign-off whose evidence holds a certificate.
        is_page: for the browser, with a link to its style; else for the PDF, which brings its own.

    Raises:
        Conflict: for evidence of an earlier version.
    """
    content = row.evidence.content
    if "certificate" not in content:
        raise Conflict("This evidence is of an earlier version and holds no certificate.")
    context = {
        "row": row,
        "content": content,
        "certificate": content["certificate"],
        "sentence": sentences.of(content),
        "figures": [_drawn(chart) for chart in charts(content)],
        "points": operating_points(content),
        "changes": sentences.changes(content),
        "plan": sentences.plan(content["plan"]),
        "deviations": sentences.deviations(content["plan"]),
        "others": sentences.others(content["certificate"]),
        "assumptions": sentences.assumptions(content),
        "approvals": row.approvals.select_related("user"),
        "entries": audit.about(row.project, subject(row)),
        "is_page": is_page,
    }
    return render_to_string("reviews/report.html", context)


def subject(row: SignOff) -> str:
    """Return what the audit trail calls a sign-off."""
    return f"signoff {row.pk}"


def _drawn(chart: vectors.Chart) -> SafeString:
    return mark_safe(vectors.svg(chart))  # noqa: S308 - every text in it is escaped there


def charts(content: dict[str, Any]) -> list[vectors.Chart]:
    """Return what gets worse, enlarged around the floor, and the shares, both by threshold."""
    points = content["points"]
    x = _column(points, "threshold")
    places = _places(content)
    floor = vectors.Mark(content["floor"], f"floor {100 * content['floor']:.3g} %")
    worse = vectors.Chart(
        "Requests made worse, of all requests, by threshold",
        x,
        [_line(points, "degradation", "made worse")],
        top=min(1.0, max(0.1, 3 * content["floor"])),
        levels=[floor],
        places=places,
    )
    shares = [
        _line(points, "adequacy", "good enough, of cheap", "7 3"),
        vectors.Line("sent to cheap", _column(points, "cheap_share")),
        vectors.Line("saved", _column(points, "saving_share"), dash="2 3"),
    ]
    about = "Share sent to the cheap model, share of those good enough, and saving, by threshold"
    return [worse, vectors.Chart(about, x, shares, places=places)]


def _places(content: dict[str, Any]) -> list[vectors.Mark]:
    """Return asked, certified and live threshold; those at one place are named together.

    A policy with thresholds by task type stands at no place of the curve.
    """
    named: dict[float, list[str]] = {}
    for name, at in (
        ("asked", None if content["thresholds"] else content["threshold"]),
        ("certified", content["certificate"]["threshold"]),
        ("live", None if content["policy"]["thresholds"] else content["policy"]["threshold"]),
    ):
        if at is not None:
            named.setdefault(at, []).append(name)
    return [vectors.Mark(at, f"{' = '.join(names)} {at:.2f}") for at, names in named.items()]


def _line(points: list[dict[str, Any]], name: str, label: str, dash: str = "") -> vectors.Line:
    low, high = (_column(points, f"{name}_{end}") for end in ("low", "high"))
    return vectors.Line(label, _column(points, name), low, high, dash)


def _column(points: list[dict[str, Any]], name: str) -> list[Any]:
    return [point[name] for point in points]


def operating_points(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the points of the table: every tenth, the last, and those that are asked about.

    Policies with thresholds by task type follow the curve: they are no points of it.
    """
    marked = {round(mark.at, 2): mark.name.rsplit(" ", 1)[0] for mark in _places(content)}
    points = content["points"]
    marks = [marked.get(round(point["threshold"], 2), "") for point in points]
    last = len(points) - 1
    of_curve = [
        {**point, "mark": mark}
        for place, (point, mark) in enumerate(zip(points, marks, strict=True))
        if mark or place == last or (place % _EVERY == 0 and place < last - 1)
    ]
    return of_curve + _by_task(content)


def _by_task(content: dict[str, Any]) -> list[dict[str, Any]]:
    named = (("asked", content["point"]), ("live", content["point_live"]))
    return [
        {**point, "mark": f"{name}, with {sentences.by_task(point['thresholds'])}"}
        for name, point in named
        if point.get("thresholds")
    ]


def pdf(row: SignOff) -> bytes:
    """Return the report as a tagged PDF; the same sign-off in the same state, the same bytes.

    Raises:
        CannotPrint: when the library that sets it is not on this machine.
        Conflict: as `html`.
    """
    return printed(html(row, is_page=False), row.evidence.sha256)


def printed(text: str, identifier: str) -> bytes:
    """Return a document as PDF. It brings all it needs: nothing is fetched, from nowhere.

    Raises:
        CannotPrint: when Pango is not on this machine.
    """
    try:
        import weasyprint
    except OSError as exc:  # it loads Pango as it is imported
        raise CannotPrint(_NEEDS) from exc
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=())
    document = weasyprint.HTML(string=text, url_fetcher=fetcher)
    style = weasyprint.CSS(string=_style(), url_fetcher=fetcher)
    made: Callable[..., bytes] = document.write_pdf
    return made(stylesheets=[style], pdf_variant="pdf/ua-1", pdf_identifier=identifier.encode())


def _style() -> str:
    return Path(str(finders.find("report.css"))).read_text()
