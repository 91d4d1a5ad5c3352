"""The points of the curve as a file: those that the page draws, and none where no study is."""

import csv

import pytest

from reviews import estimation, operating
from reviews.parts import Part
from tests.reviews.test_parts import make

pytestmark = pytest.mark.django_db
ADDRESS = "/threshold/curve.csv"


def test_every_threshold_is_a_line_with_what_the_page_draws(project, as_role):
    study = make(project, [n / 40 for n in range(40)], tasks=("math", "code"))
    page = as_role("lead")
    for part in (Part(), Part("math")):
        answer = page.get(ADDRESS, {"study": study.pk, "task": part.task})
        assert answer["Content-Disposition"] == f'attachment; filename="curve-{study.pk}.csv"'
        lines = list(csv.DictReader(answer.text.splitlines()))
        points = operating.of(study, estimation.estimate(study), part).points()
        assert "sentence" not in lines[0]
        for name in ("threshold", "degradation", "band_high", "n_harm", "certified"):
            assert [line[name] for line in lines] == [str(point[name]) for point in points]


def test_the_page_links_to_the_file_of_what_it_shows(project, as_role):
    study = make(project, [0.1, 0.9])
    page = as_role("product").get("/threshold/", {"study": study.pk, "task": "math"}).text
    named = f"{ADDRESS}?study={study.pk}&amp;task=math&amp;project={project.slug}"
    assert f'href="{named}"' in page


def test_without_a_study_there_is_no_file(project, as_role):
    assert as_role("lead").get(ADDRESS).status_code == 404
