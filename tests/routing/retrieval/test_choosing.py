import numpy as np
import pytest

from routing.retrieval import choosing, features
from routing.retrieval.choosing import CHOICES, RULES, Choice
from routing.routers import arrays

PLAIN = dict.fromkeys(features.NAMES, 0.0) | {"bm25_found": 1.0}


def signals(**said):
    return PLAIN | said


def worth(best):
    return np.where([choice == best for choice in CHOICES], 1.0, 0.0)


@pytest.mark.parametrize(
    ("said", "strategy"),
    [
        ({"identifiers": 1.0, "keywords": 1.0, "rarity_max": 0.9}, "bm25"),
        ({"quoted": 1.0, "keywords": 1.0, "rarity_max": 0.9}, "bm25"),
        ({"identifiers": 1.0, "rarity_max": 0.9}, "hybrid"),
        ({"identifiers": 1.0, "keywords": 1.0, "rarity_max": 0.2}, "hybrid"),
        ({"unknown": 0.8}, "dense"),
        ({"bm25_found": 0.0}, "dense"),
        ({"question": 1.0}, "hybrid"),
    ],
)
def test_rules(said, strategy):
    assert RULES.choose(signals(**said)).strategy == strategy


def test_trained_learns_what_tells_queries_apart():
    rows = [signals(keywords=float(i % 2)) for i in range(4000)]
    dense, bm25 = Choice("dense"), Choice("bm25")
    gains = np.array([worth(bm25 if row["keywords"] else dense) for row in rows])
    chooser = choosing.loads(choosing.fit(rows, gains))
    assert chooser.name == "trained"
    assert chooser.choose(signals(keywords=1.0)) == bm25
    assert chooser.choose(signals(keywords=0.0)) == dense


def test_few_queries_leave_everybody_at_what_is_best_for_all():
    rows = [signals(keywords=float(i % 3 == 0)) for i in range(60)]
    one, other = Choice("hybrid", 0.4), Choice("bm25")
    gains = np.array([worth(other if row["keywords"] else one) for row in rows])
    chooser = choosing.loads(choosing.fit(rows, gains))
    assert chooser.choose(signals(keywords=1.0)) == one


def test_trained_has_no_use_for_words_that_nobody_wrote():
    rows = [signals(), signals(words=3.0)]
    chooser = choosing.loads(choosing.fit(rows, np.array([worth(Choice("bm25"))] * 2)))
    assert chooser.choose(signals()).strategy == "bm25"
    assert chooser.choose(signals(bm25_found=0.0)).strategy == "dense"


def test_the_same_rows_give_the_same_bytes():
    rows, gains = [signals(), signals(words=3.0)], np.array([worth(Choice("bm25"))] * 2)
    assert choosing.fit(rows, gains) == choosing.fit(rows, gains)


def changed(**parts):
    made = arrays.loads(choosing.fit([signals(), signals(words=1.0)], np.zeros((2, len(CHOICES)))))
    return arrays.dumps({k: v for k, v in (made | parts).items() if v is not None})


@pytest.mark.parametrize(
    ("artifact", "says"),
    [
        (b"no archive", "no artifact"),
        (changed(names=arrays.of_json(["moon"])), "features that are not known"),
        (changed(choices=arrays.of_json([["oracle", None]])), "choices that are not known"),
        (changed(choices=arrays.of_json(7)), "choices that are not known"),
        (changed(weights=None), "weights missing"),
        (changed(worth=np.zeros(3)), "worth is not of shape"),
        (changed(mean=np.full(len(features.NAMES), np.nan)), "mean is not of shape"),
    ],
)
def test_other_artifacts_are_refused(artifact, says):
    with pytest.raises(ValueError, match=says):
        choosing.loads(artifact)


def test_objects_are_refused():
    import io

    buffer = io.BytesIO()
    np.savez(buffer, names=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="no artifact"):
        choosing.loads(buffer.getvalue())


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 12)), (3, (2, 12)), (3, (3, 2))])
def test_shapes_that_do_not_fit_are_refused(n, shape):
    with pytest.raises(ValueError, match="do not fit"):
        choosing.fit([signals()] * n, np.zeros(shape))
