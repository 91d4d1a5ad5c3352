"""The numbers printed in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

from reviews import stats

NAMES = [name for _, name, _ in pkgutil.iter_modules(stats.__path__, f"{stats.__name__}.")]


@pytest.mark.parametrize("name", NAMES)
def test_docstring_examples_hold(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
