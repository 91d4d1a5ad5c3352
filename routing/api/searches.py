"""Try a query on a collection by key: what would be found, and no model is asked."""

from __future__ import annotations

from ninja import Router, Schema
from pydantic import ConfigDict, Field

from routing import collections, trying
from routing.api import collection_shapes as shapes
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.types import Scope

router = Router(tags=["Collections"])


class SearchIn(Schema):
    """A query, and how to search."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"examples": [{"query": "When is my invoice due?", "k": 3}]},
    )

    query: shapes.Text = Field(min_length=1, max_length=4000)
    strategy: shapes.Strategy | None = Field(None, description="Default: the collection's")
    k: shapes.K | None = Field(None, description="Default: the collection's")


class SourceShape(Schema):
    """A passage that was found."""

    n: int
    document: str = Field(description="Key of its document")
    title: str
    text: str
    score: float | None = Field(description="Comparable within one search only")
    chunk: int | None
    start: int = Field(description="Where in the document it begins, in characters")


class SearchOut(Schema):
    """What was found."""

    version: int
    strategy: str = Field(description="What was used: bm25, dense or hybrid")
    chooser: str = Field(description="Who chose it: asked, rules or trained")
    confidence: float = Field(description="P(the sources hold the answer), in [0, 1]")
    sources: list[SourceShape]


@router.post(
    "/collections/{name}/search",
    auth=Needs(Scope.READ),
    response=SearchOut,
    operation_id="search_collection",
    summary="What a query would find",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 409, 413, 429, 503)},
)
def search_collection(request: KeyRequest, name: shapes.Name, body: SearchIn) -> SearchOut:
    """Search as a request would, without asking a model or recording. Needs the scope `read`.

    409 when nothing was put into the collection yet; 503 while its first version is made ready.
    """
    served = trying.opened(collections.find(request.auth.project, name))
    tried = trying.look(served, body.query, body.strategy or served.strategy, body.k or served.k)
    fields = SourceShape.model_fields
    return SearchOut(
        version=served.version,
        strategy=tried.search.strategy,
        chooser=tried.search.chooser,
        confidence=tried.search.confidence,
        sources=[
            SourceShape(**{name: getattr(one, name) for name in fields}) for one in tried.sources
        ],
    )
