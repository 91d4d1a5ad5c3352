"""The numbers printed in the docstrings are true."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from reviews import stats

FOUND = pkgutil.iter_modules(stats.__path__, f"{stats.__name__}.")
NAMES = [one.name for one in FOUND if ">>>" in inspect.getsource(importlib.import_module(one.name))]


@pytest.mark.parametrize("name", NAMES)
def test_docstring_examples_hold(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
