"""Collections for tests: a few passages, indexed and on the shelf."""

from routing import embedders
from routing.embedders import ids
from routing.indexes import Open, shelf
from routing.models import Collection, CollectionVersion, Retrieval
from routing.retrieval import choosing, index
from routing.retrieval.index import Entry, Index

FRANCE = "Invoices in France are due within 30 days of receipt."
GERMANY = "Invoices in Germany are due within 14 days of receipt."
FEE = "A late payment costs a fee of 5 euros for each week."
TEXTS = {"france": FRANCE, "germany": GERMANY, "fee": FEE}


def put(project, folder, name="terms", texts=TEXTS, embedder=None, **said):
    """Put a collection on the shelf."""
    broken, embedder = embedder, embedders.get(ids.STATIC)
    row = Collection.objects.create(project=project, name=name, embedder=ids.STATIC)
    CollectionVersion.objects.create(
        collection=row, number=1, documents=len(texts), chunks=len(texts), digest="x"
    )
    entries = (
        Entry(n, key, key.title(), text, 0, embedder.embed(text))
        for n, (key, text) in enumerate(texts.items(), start=1)
    )
    index.build(folder / name, entries, embedder.dimensions)
    opened = {"strategy": "hybrid", "k": 2, "reranks": False, "chooser": choosing.RULES, **said}
    shelf.held[project.pk, name] = Open(
        row.pk, name, 1, broken or embedder, Index.open(folder / name), **opened
    )
    return row


def looked_up(request_id, confidence):
    """Write that something was looked up for a recorded request."""
    return Retrieval.objects.create(
        request_id=request_id, asked="client", strategy="client", chooser="client", query="q",
        confidence=confidence, ms=1.0,
    )  # fmt: skip
