"""The build makes a folder whole or not at all, and refuses what is unlike the original."""

import math
import subprocess
import sys

import numpy as np
import pytest

from routing.embedders import agreement, distill, files
from routing.embedders.agreement import Disagreement, Measured

GOOD = {
    "texts": 300,
    "fp32_max_difference": 1e-6,
    "fp32_max_difference_padded": 1e-6,
    "int8_mean_cosine": 0.995,
    "int8_min_cosine": 0.985,
}


def test_good_figures_pass():
    agreement.require(Measured(**GOOD))


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("fp32_max_difference", 2e-4),
        ("fp32_max_difference_padded", 0.16),
        ("int8_mean_cosine", 0.989),
        ("int8_min_cosine", 0.979),
        ("fp32_max_difference", math.nan),
        ("int8_min_cosine", math.nan),
    ],
)
def test_each_figure_alone_refuses(figure, value):
    with pytest.raises(Disagreement, match="not the vectors of sentence-transformers"):
        agreement.require(Measured(**{**GOOD, figure: value}))


def test_what_is_compared_is_many_texts_of_many_lengths():
    lengths = [len(text.split()) for text in agreement.texts()]
    assert len(set(agreement.texts())) >= 300
    assert (min(lengths), max(lengths) >= 300) == (1, True)


def test_distilling_the_same_twice_gives_the_same_whatever_the_sign_of_the_axes():
    vocabulary = ["[PAD]", "[unused1]", "[CLS]", "[SEP]", "[UNK]"]
    vocabulary += [f"w{n}" for n in range(600)]
    vectors = np.random.default_rng(3).normal(size=(605, 300))

    def embed(tokens):
        assert tokens[:, 0].tolist() == [2] * len(tokens)
        assert tokens[:, 2].tolist() == [3] * len(tokens)
        return vectors[tokens[:, 1]]

    table = distill.table(vocabulary, embed)
    assert (table.shape, table.dtype) == ((605, distill.DIMENSIONS), np.float16)
    assert not table[:5].any()
    assert (table == distill.table(vocabulary, embed)).all()
    mirrored = distill.table(vocabulary, lambda tokens: embed(tokens) * np.r_[-1, np.ones(299)])
    shared = np.abs((table.astype(float) * mirrored.astype(float)).sum(axis=1))
    assert np.allclose(shared, (table.astype(float) ** 2).sum(axis=1), atol=1e-2)


def test_frequent_tokens_weigh_less():
    weights = distill._weights(1000)
    assert (np.diff(weights) > 0).all()
    assert 0 < weights[0] < weights[-1] < 1


def test_an_intact_folder_is_not_built_again(copy):
    before = (copy / files.MANIFEST).stat().st_mtime_ns
    command = [sys.executable, "-m", "routing.embedders.build", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "comparing" not in done.stderr
    assert (copy / files.MANIFEST).stat().st_mtime_ns == before


@pytest.mark.slow
def test_two_processes_mend_a_damaged_folder_once(copy):
    (copy / files.TABLE).write_bytes(b"damaged")
    command = [sys.executable, "-m", "routing.embedders.build", str(copy)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=280)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("comparing" in text for text in said) == 1
    files.check(copy)
    assert [path.name for path in copy.parent.iterdir() if path.is_dir()] == [copy.name]
