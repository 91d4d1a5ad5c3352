"""The numbers printed in the docstrings are true."""

import doctest

import pytest

from reviews.stats import curve, intervals, weighting


@pytest.mark.parametrize("module", [curve, intervals, weighting], ids=lambda m: m.__name__)
def test_docstring_examples_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
