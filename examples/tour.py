# ruff: noqa: T201
"""A tour of the Python client, cell by cell; every cell runs by itself after those above it.

Set SHADOWEVAL_URL and SHADOWEVAL_API_KEY (`make run` prints both), then run the file, or open it
in an editor that knows `# %%` cells.
"""

# %% Ask, and see where it went and why
from shadoweval_client import BadRequest, Client, Pair, to_polars

client = Client()
answer = client.route("When is a VAT return due?", task="factual", max_tokens=200)
print(answer.answer)
print(f"{answer.model} ({answer.decision.tier}: {answer.decision.reason}), {answer.cost_usd} USD")

# %% Only the decision: your own gateway asks the model
route = client.decide("Prove that the square root of two is irrational.")
print(f"ask {route.model}: score {route.decision.score}, threshold {route.decision.threshold}")

# %% Say what became of the answer; the same words twice are one row
print(client.feedback(answer.request_id, thumb="up", task_completed=True))
print(client.feedback(answer.request_id, thumb="up", task_completed=True))

# %% What cannot be served says which field is at fault
try:
    client.feedback(answer.request_id, score=7)
except BadRequest as refused:
    print(refused.errors)


# %% Pairs that another gateway logged: both models answered the same question
def pair(number: int) -> Pair:
    """Return one line of a log as a pair."""
    text = f"It is {number + number}."
    return {
        "id": f"tour-{number}",
        "query": f"What is {number} and {number}?",
        "score": number / 50,
        "cheap": {"model": "claude-haiku-5-5", "text": text, "output_tokens": 5},
        "expensive": {"model": "claude-sonnet-5-5", "text": text, "output_tokens": 5},
    }


done = client.import_pairs(
    (pair(number) for number in range(50)),
    batch=20,
    progress=lambda so_far: print(f"{so_far.total} of 50"),
)
print(f"{done.imported} new, {done.already_there} known")

# %% The ledger as a data frame
ledger = to_polars(client.requests(limit=200))
print(ledger.group_by("task", "tier").len().sort("len", descending=True))

# %% What routers may be trained on; a study's ratings are `client.export_study(number)`
labels = client.export_labels(texts=True)
print(labels.to_polars().shape, labels.left_out)

# %% Close the connections
client.close()
