"""What was rated as a download, and what was rated elsewhere as an upload."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from reviews import permissions
from reviews.errors import BadInput
from reviews.exchange import blindness, imports, labels, streaming
from reviews.exchange.exports import Export
from reviews.exchange.formats import FORMATS
from reviews.exchange.labels import Names
from reviews.models import Rater, Study
from reviews.views.frame import about, page

_MOST_SHOWN = 200
_NAMES = (
    "left", "right", "preference", "left_adequate", "right_adequate", "left_supported",
    "right_supported",
)  # fmt: skip


@require_safe
@page("export")
def export(request: HttpRequest, pk: int, fmt: str) -> HttpResponseBase:
    """Hand out everything rated in a study, but for what the person may still answer blind.

    What a rater rated themselves they see by tier, and can no longer correct.
    """
    if fmt not in FORMATS:
        raise Http404
    study = get_object_or_404(Study, pk=pk)
    assert isinstance(request.user, User)
    texts = request.GET.get("texts") == "1"
    names = request.GET.get("names", "1" if sees_names(request.user) else "0") == "1"
    hidden = blindness.hidden_from(request.user, texts=texts)
    reader = _reader(request.user)
    return streaming.response(Export(study, hidden, texts, names, reader), fmt)


def _reader(user: User) -> Rater | None:
    """Return the person's rater if they may rate."""
    return Rater.objects.filter(user=user).first() if permissions.can(user, "rate") else None


def sees_names(user: User) -> bool:
    """Return whether raters are named where nobody asks for pseudonyms."""
    return "lead" in permissions.roles_of(user)


def panel(request: HttpRequest, study: Study) -> dict[str, Any]:
    """Return what the export panel shows; nothing for those who may not."""
    user = request.user
    if not isinstance(user, User) or not permissions.can(user, "export"):
        return {}
    return {
        "formats": list(FORMATS),
        "sees_names": sees_names(user),
        "may_rate": permissions.can(user, "rate"),
        "can_import": permissions.can(user, "run_studies") and study.state != Study.State.CLOSED,
    }


@require_safe
@page("export")
def export_size(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how many rows the person's export has: asked for by itself, since it reads them all."""
    study = get_object_or_404(Study, pk=pk)
    assert isinstance(request.user, User)
    total, left_out = Export(study, blindness.hidden_from(request.user, texts=False)).count()
    sizes = {"n_exported": total - left_out, "n_left_out": left_out}
    return render(request, "reviews/_export_size.html", sizes)


@require_http_methods(["GET", "HEAD", "POST"])
@page("run_studies")
def import_ratings(request: HttpRequest, pk: int) -> HttpResponse:
    """Try or import a file of another tool; what is refused is shown by row."""
    study = get_object_or_404(Study.objects.select_related("project"), pk=pk)
    context = {
        "study": study,
        "tools": list(imports.TOOLS),
        "names": Names(),
        "most_mb": labels.MOST_BYTES // 1_000_000,
        **about(study.project),
    }
    if request.method != "POST":
        return render(request, "reviews/import.html", context)
    try:
        outcome = _run(request, study)
    except BadInput as exc:
        messages.error(request, str(exc))
        return redirect(reverse("import_ratings", args=[pk]))
    context |= {"outcome": outcome, "refused": outcome.refused[:_MOST_SHOWN]}
    return render(request, "reviews/import.html", context)


def _run(request: HttpRequest, study: Study) -> imports.Outcome:
    form = request.POST
    return imports.run(
        study,
        _content(request.FILES.get("file")),
        form.get("from", ""),
        _names(request),
        dry_run=form.get("action") != "import",
        skip_bad=form.get("skip_bad") == "1",
    )


def _content(file: UploadedFile | None) -> bytes:
    """Return what was sent.

    Raises:
        BadInput: when nothing was, or too much.
    """
    if file is None:
        raise BadInput("Choose the file that the tool exported.")
    if (file.size or 0) > labels.MOST_BYTES:
        raise BadInput(f"The file is larger than {labels.MOST_BYTES // 1_000_000} MB: split it.")
    return bytes(file.read())


def _names(request: HttpRequest) -> Names:
    """Return how the tool's project names things, as the form says.

    Raises:
        BadInput: when the rating from which on an answer is good enough is no number.
    """
    given = {name: text for name in _NAMES if (text := request.POST.get(name, "").strip())}
    enough = request.POST.get("adequate_from", "").strip()
    try:
        return Names(**given, adequate_from=float(enough) if enough else None)
    except ValueError as exc:
        raise BadInput("The rating from which on it is good enough is no number.") from exc
