"""The report of a sign-off: everything said in it, tagged, alike each time, from nowhere else."""

import base64
import io

import pytest
from pypdf import PdfReader

from reviews import report
from reviews.errors import Conflict
from reviews.models import Evidence
from tests.reviews import certified

pytestmark = pytest.mark.django_db
#: One black dot.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


@pytest.fixture
def row(project):
    return certified.signed(certified.closed(project))


@pytest.fixture
def pdf(row):
    return PdfReader(io.BytesIO(report.pdf(row)))


def text(pdf):
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


def test_everything_people_ask_for_is_in_it(row, pdf):
    said = text(pdf)
    wanted = [
        "Requests scored below 0.40 go to the cheap model", "certified, with 95 % confidence",
        "It holds the floor.", "erik", "petra", "Engineering", "Product", "Operating points",
        "Health of the study", "Deviations", "enough for a test", "Method and assumptions",
        "math", "writing", row.evidence.sha256[:16],
    ]  # fmt: skip
    assert [words for words in wanted if words not in said] == []


def test_each_page_has_its_number(pdf):
    n = len(pdf.pages)
    assert all(
        f"page {place} of {n}" in page.extract_text() for place, page in enumerate(pdf.pages, 1)
    )


def test_it_is_tagged_and_has_a_language_and_a_title(row, pdf):
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    assert pdf.metadata.title == f"Sign-off {row.pk}, Small study: report"


def test_pages_are_a4(pdf):
    assert {tuple(round(float(x)) for x in page.mediabox[2:]) for page in pdf.pages} == {(595, 842)}


def test_the_same_signoff_gives_the_same_bytes(row):
    assert report.pdf(row) == report.pdf(row)


def test_what_is_not_certified_says_so(project):
    study = certified.running(project, certified_only=False)
    said = report.html(certified.asked(study))
    assert "NOT certified" in said
    assert "if the study ended now" in said


def test_thresholds_by_task_type_are_told_with_their_own_figures(project):
    row = certified.asked(certified.closed(project), 0.0, thresholds={"math": 0.4, "writing": 0.4})
    said = report.html(row)
    assert "Of 100 requests, 40 more go to the cheap model: 40.0 % instead of 0.0 %." in said
    *_, last = report.operating_points(row.evidence.content)
    assert (last["mark"], last["cheap_share"]) == ("asked, with math 0.40, writing 0.40", 0.4)
    assert "asked" not in "".join(
        mark.name for mark in report.charts(row.evidence.content)[0].places
    )


def test_what_people_wrote_stays_text(project):
    study = certified.closed(project)
    row = certified.asked(study)
    row.reason = "<img src='https://example.org/x.png'><script>alert(1)</script>"
    assert "<script>" not in report.html(row)
    assert "example.org" in text(PdfReader(io.BytesIO(report.pdf(row))))


@pytest.mark.parametrize("scheme", ["file", "data"])
def test_nothing_is_fetched(tmp_path, scheme):
    (tmp_path / "x.png").write_bytes(PNG)
    coded = base64.b64encode(PNG).decode()
    url = {"file": (tmp_path / "x.png").as_uri(), "data": f"data:image/png;base64,{coded}"}[scheme]
    made = report.printed(f"<title>t</title><p>Here</p><img src='{url}' alt='a dot'>", "0" * 64)
    (page,) = PdfReader(io.BytesIO(made)).pages
    assert "Here" in page.extract_text()
    assert not page.images


def test_evidence_of_an_earlier_version_has_no_report(row):
    row.evidence = Evidence.objects.create(study=row.study, content={}, sha256="0" * 64)
    with pytest.raises(Conflict, match="earlier version"):
        report.html(row)


def test_the_page_carries_no_style_of_its_own(row):
    said = report.html(row)
    assert "style=" not in said
    assert "<style" not in said
