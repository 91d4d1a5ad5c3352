"""Measure how well a collection's strategies find what is relevant."""

from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

from reviews import evaluating
from reviews.management.commands import _judged
from reviews.models import RetrievalEvaluation


class Command(BaseCommand):
    """`manage.py evaluate_retrieval COLLECTION QRELS [--queries FILE] [--project P] [--k N]`."""

    help = "Measure every strategy of a collection on judged queries, and keep the figures."

    def add_arguments(self, parser: CommandParser) -> None:
        _judged.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        with _judged.in_sentences():
            collection, qrels = _judged.read(options)
            with _judged.bar(console, "Searching") as show:
                made = evaluating.evaluate(
                    collection, qrels, name=options["qrels"].name, k=options["k"], progress=show
                )
        _print(console, made)


def _print(console: Console, made: RetrievalEvaluation) -> None:
    figures = made.figures
    k = figures["k"]
    for title, part in [("all queries", figures["all"]), *figures["kinds"].items()]:
        table = Table(
            "", f"nDCG@{k}", f"recall@{k}", "MRR", f"nDCG@{k} against {figures['baseline']}",
            title=f"{title}: {part['n']} of {part['groups']} conversations",
        )  # fmt: skip
        for name, values in part["values"].items():
            table.add_row(
                name, *(f"{value:.3f}" for value in values.values()), _against(part, name)
            )
        table.add_row("best by query", *(f"{value:.3f}" for value in part["best"].values()), "")
        console.print(table)
    for sentence in _sentences(figures):
        console.print(sentence)


def _against(part: dict[str, Any], name: str) -> str:
    found = part["against"].get(name)
    if found is None:
        return ""
    found = found["ndcg"]
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def _sentences(figures: dict[str, Any]) -> list[str]:
    chosen = ", ".join(f"{n} {name}" for name, n in figures["chosen"].items())
    said = [f"auto goes by {figures['chooser']}: {chosen}."]
    if figures["is_in_sample"]:
        said.append("auto was trained on these judgements, which flatters it: see its card.")
    if figures["unknown_documents"]:
        n = figures["unknown_documents"]
        said.append(f"{n} judged documents are not in the collection; nothing can find them.")
    if figures["without_relevant"]:
        said.append(f"{figures['without_relevant']} queries without a relevant document left out.")
    return said
