"""Collections for tests: a few passages, indexed and on the shelf."""

from routing import embedders, indexes
from routing.embedders import ids
from routing.indexes import shelf
from routing.models import Collection, CollectionVersion, Retrieval
from routing.retrieval import index
from routing.retrieval.index import Entry

FRANCE = "Invoices in France are due within 30 days of receipt."
GERMANY = "Invoices in Germany are due within 14 days of receipt."
FEE = "A late payment costs a fee of 5 euros for each week."
TEXTS = {"france": FRANCE, "germany": GERMANY, "fee": FEE}


def put(project, name="terms", texts=TEXTS, *, is_broken=False, **fields):
    """Put a collection on the shelf; a broken one has vectors of another length than queries."""
    fields = {"strategy": "hybrid", "k": 2, **fields}
    row = Collection.objects.create(project=project, name=name, embedder=ids.STATIC, **fields)
    version = CollectionVersion.objects.create(
        collection=row, number=1, documents=len(texts), chunks=len(texts), digest=f"{name:x<12}"
    )
    embed, cut = embedders.get(ids.STATIC).embed, 3 if is_broken else None
    entries = [
        Entry(n, key, key.title(), text, 0, embed(text)[:cut])
        for n, (key, text) in enumerate(texts.items(), start=1)
    ]
    index.build(indexes.folder(version), entries, len(embed("")[:cut]))
    shelf.refresh()
    return row


def looked_up(request_id, confidence):
    """Write that something was looked up for a recorded request."""
    return Retrieval.objects.create(
        request_id=request_id, asked="client", strategy="client", chooser="client", query="q",
        confidence=confidence, ms=1.0,
    )  # fmt: skip
