"""The numbers printed in the docstrings are true."""

import doctest

import pytest

from reviews.stats import (
    agreement,
    blindness,
    conduct,
    curve,
    dawid_skene,
    intervals,
    judge,
    logistic,
    missingness,
    positions,
    resampling,
    tallies,
    weighting,
)

MODULES = [
    agreement,
    blindness,
    conduct,
    curve,
    dawid_skene,
    intervals,
    judge,
    logistic,
    missingness,
    positions,
    resampling,
    tallies,
    weighting,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_docstring_examples_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
