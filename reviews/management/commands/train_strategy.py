"""Train what `auto` goes by in a collection."""

from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

from reviews.management.commands import _judged
from routing import strategies


class Command(BaseCommand):
    """`manage.py train_strategy COLLECTION QRELS [--queries FILE] [--project P] [--k N]`."""

    help = "Learn from judged queries which strategy a query gets; auto goes by it from then on."

    def add_arguments(self, parser: CommandParser) -> None:
        _judged.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        with _judged.in_sentences():
            collection, qrels = _judged.read(options)
            with _judged.bar(console, "Searching") as show:
                made = strategies.train(
                    collection, qrels, options["qrels"].name, k=options["k"], progress=show
                )
        console.print(_card(made.card))
        if made.card["unknown_documents"]:
            n = made.card["unknown_documents"]
            console.print(f"{n} judged documents are not in the collection; nothing can find them.")
        if made.card["gain"]["low"] <= 0:
            console.print("Not shown to be better than hybrid: its interval holds 0.")
        if made.card["gain_over_rules"]["low"] <= 0:
            console.print("Not shown to be better than the rules that auto went by before.")
        console.print(f"auto in “{collection.name}” goes by it from now on.")


def _card(card: dict[str, Any]) -> Table:
    title = f"{card['n']} queries of {card['groups']} conversations"
    table = Table("", f"nDCG@{card['k']}", title=title)
    for key, name in (
        ("trained", "trained, on queries it did not learn from"), ("rules", "rules"),
        ("hybrid", "hybrid"), ("best", "best of bm25, dense, hybrid by query"),
    ):  # fmt: skip
        table.add_row(name, f"{card[key]:.3f}")
    for key, name in (("gain", "hybrid"), ("gain_over_rules", "rules")):
        found = card[key]
        said = f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
        table.add_row(f"trained against {name}", said)
    return table
