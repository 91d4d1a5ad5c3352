"""The built files: one folder for all runs, and a copy that a test may damage."""

import shutil

import pytest

from routing.embedders import files


@pytest.fixture(scope="session")
def built():
    """The folder of the files, built by whichever test run comes first."""
    folder = files.folder()
    files.ensure(folder)
    return folder


@pytest.fixture
def copy(built, tmp_path):
    """The same files in a folder of the test's own."""
    return shutil.copytree(built, tmp_path / "models" / built.name)
