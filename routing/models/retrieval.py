"""What is looked up before a model is asked: collections, what is in them, and what was found."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from routing.models.access import Project
from routing.models.immutable import Immutable, append_only
from routing.models.request import Completion, Request
from routing.models.shadow import ShadowPair


class Collection(models.Model):
    """Documents of a project that requests may be answered from. Written by `collections`.

    A deleted one keeps its row, so that a request which names it hears what became of it.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="collections")
    name = models.SlugField(max_length=60, help_text="What requests call it")
    description = models.CharField(max_length=200, blank=True)
    embedder = models.CharField(max_length=80, help_text="Whose vectors its chunks have")
    chunk_tokens = models.PositiveSmallIntegerField(
        default=128, help_text="A chunk has at most so many of the embedder's tokens"
    )
    strategy = models.CharField(
        max_length=20, default="auto", help_text="What a request gets that names none"
    )
    k = models.PositiveSmallIntegerField(default=5, help_text="Sources of an answer")
    reranks = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(deleted_at=None),
                name="collection_name_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class CollectionVersion(Immutable):
    """What a collection held from one change to the next; evaluations and requests name it.

    A document is in version v when `added_in <= v` and not `removed_in <= v`.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    documents = models.PositiveIntegerField()
    chunks = models.PositiveIntegerField()
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of its chunks in order, embedder and chunk length"
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["collection", "number"], name="collection_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.collection_id} version {self.number}"


class Upload(models.Model):
    """A file on its way into a collection: read, cut, embedded, then a version.

    WAITING becomes RUNNING, and that DONE, FAILED or CANCELLED; a RUNNING one whose lease ran out
    belongs to a worker that died and goes on where that one was.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Kind(models.TextChoices):
        JSONL = "jsonl", "JSON lines"
        MARKDOWN = "markdown", "Markdown"
        TEXT = "text", "Text"
        PDF = "pdf", "PDF"

    OPEN = (State.WAITING, State.RUNNING)

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind)
    content = models.BinaryField(null=True, help_text="Until it is read")
    size = models.PositiveBigIntegerField()
    replaces_all = models.BooleanField(
        default=False, help_text="What is not in the file leaves the collection"
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    documents = models.PositiveIntegerField(default=0)
    chunks = models.PositiveIntegerField(default=0)
    embedded = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list, help_text="Documents left out: where, why")
    reason = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    version = models.ForeignKey(CollectionVersion, models.SET_NULL, null=True, related_name="+")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # Serves the claim, and the progress of one collection.
            models.Index(
                fields=["collection", "id"],
                name="upload_open",
                condition=models.Q(state__in=["waiting", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"


class Document(models.Model):
    """One text as it was uploaded. A replaced one stays for the versions that it was part of."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="documents")
    upload = models.ForeignKey(Upload, models.SET_NULL, null=True, related_name="rows")
    key = models.CharField(max_length=300, help_text="What its owner calls it")
    title = models.CharField(max_length=300, blank=True)
    text = models.TextField()
    metadata = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64)
    added_in = models.PositiveIntegerField(null=True, help_text="None until its upload is done")
    removed_in = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # Serves a replacement and the list of documents.
            models.Index(fields=["collection", "key"], name="document_key"),
        ]

    def __str__(self) -> str:
        return self.key


class Chunk(models.Model):
    """A passage of a document, as it is searched and shown to a model."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField()
    start = models.PositiveIntegerField(help_text="Where in the document's text it begins")
    text = models.TextField()
    vector = models.BinaryField(
        null=True, help_text="Little-endian float32 of unit length; none until embedded"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "ordinal"], name="chunk_once")]

    def __str__(self) -> str:
        return f"{self.document_id}/{self.ordinal}"


class StrategyVersion(Immutable):
    """What chooses a retrieval strategy for a query, trained on relevance judgements.

    `artifact` is an .npz without objects. The newest one of a collection is what `auto` goes by.
    """

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="strategies")
    version = models.ForeignKey(CollectionVersion, models.CASCADE, related_name="+")
    artifact = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    card = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"strategy {self.pk} of {self.collection_id}"


class Retrieval(Immutable):
    """What was looked up for one request, how, and what it cost. Written by recording."""

    request = models.OneToOneField(
        Request, models.CASCADE, primary_key=True, related_name="retrieval"
    )
    collection = models.ForeignKey(
        Collection, models.SET_NULL, null=True, related_name="retrievals",
        help_text="None where the client brought its own context",
    )  # fmt: skip
    version = models.PositiveIntegerField(null=True)
    asked = models.CharField(max_length=20, help_text="Strategy as asked: auto, a name, or client")
    strategy = models.CharField(max_length=20, help_text="bm25, dense, hybrid, or client")
    chooser = models.CharField(max_length=20, help_text="asked, rules, trained, or client")
    query = models.TextField(help_text="What was searched for")
    rewritten_by = models.CharField(
        max_length=20, blank=True, help_text="Who made the query self-contained: client, cheap"
    )
    confidence = models.FloatField(null=True, help_text="P(the sources hold the answer), in [0, 1]")
    signals = models.JSONField(default=dict)
    sources = models.JSONField(
        default=list, help_text="In order: n, document, title, text, score, chunk, start"
    )
    ms = models.FloatField(help_text="How long looking up took, without the rewrite")
    rewrite_ms = models.FloatField(null=True)
    cost_usd = models.DecimalField(
        max_digits=20, decimal_places=12, null=True, help_text="Of the rewrite; none when unknown"
    )

    class Meta:
        triggers = [append_only(but="collection")]

    def __str__(self) -> str:
        return f"{self.strategy} for {self.request_id}"


class RetrievalPair(Immutable):
    """EXPENSIVE's answers to one question on two retrievals; written by `alternatives`.

    The first is the pair's expensive completion. Which is better says whether a worse answer is to
    be blamed on what was found. In no sense is it a pair of two tiers.
    """

    request = models.OneToOneField(Request, models.CASCADE, related_name="retrieval_pair")
    pair = models.OneToOneField(ShadowPair, models.CASCADE, related_name="alternative")
    other = models.OneToOneField(Completion, models.CASCADE, related_name="+")
    strategy = models.CharField(max_length=20)
    sources = models.JSONField(help_text="As those of a retrieval")
    ms = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.strategy} instead, for {self.request_id}"
