"""The examples in docstrings hold."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "routers.agreement",
        "routers.refusals",
        "wire.confidence_line",
        "wire.sources",
        "wire.splice",
        "wire.standalone",
    ],
)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(f"routing.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
