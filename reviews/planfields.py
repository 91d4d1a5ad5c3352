"""The fields of a plan: their ranges and words, and how they stand together on a page."""

from typing import NamedTuple


class Number(NamedTuple):
    """The range of one number of a plan, and the line that explains it."""

    label: str
    low: float
    high: float
    step: float
    about: str

    @property
    def is_whole(self) -> bool:
        """Return whether only whole numbers fit."""
        return self.step == 1


class Choice(NamedTuple):
    """One of several words: its label, what each word means, and the line that explains it."""

    label: str
    options: dict[str, str]
    about: str


NUMBERS = {
    "rate": Number(
        "Share drawn to calibrate", 0.001, 1, 0.001,
        "Of the pairs that matter, so many are rated for the curve: 0.15 is 15 in 100.",
    ),
    "tilt": Number(
        "Tilt", 1, 4, 0.1,
        "How many times likelier the highest scores are drawn than the lowest; 1 is equal.",
    ),
    "train_rate": Number(
        "Share for training", 0, 1, 0.001,
        "So many more are rated to train a router. No pair serves both.",
    ),
    "ratings_per_pair": Number(
        "Ratings per pair", 1, 5, 1, "How many people rate each drawn pair.",
    ),
    "second_share": Number(
        "Share rated once more", 0, 1, 0.01,
        "Of the drawn pairs, so many get one rating more: it shows how far raters agree.",
    ),
    "rater_target": Number(
        "Pairs per rater", 1, 10_000, 1,
        "What each rater sees as their goal; nobody is stopped there.",
    ),
    "check_every": Number(
        "Hidden check about every", 0, 1000, 1,
        "Gold, repeats and identical answers among the pairs: 10 is about one in ten, 0 is never.",
    ),
    "origin_every": Number(
        "Ask for the origin about every", 0, 1000, 1,
        "After a rating: which answer came from the costlier model? 0 is never.",
    ),
    "practice_pairs": Number(
        "Practice pairs", 0, 50, 1,
        "Gold pairs with feedback before a rater’s first real one, as far as there is gold.",
    ),
    "largest_threshold": Number(
        "Largest candidate threshold", 0.01, 1.01, 0.01,
        "Pairs scored at or above it are not drawn: no threshold in question sends them to CHEAP.",
    ),
    "floor": Number(
        "Floor", 0.001, 0.5, 0.001,
        "Of all requests, at most so many may get a worse answer: 0.05 is 5 in 100.",
    ),
    "confidence": Number(
        "Confidence", 0.5, 0.999, 0.001,
        "How sure a certificate is that the floor holds: 0.95 errs in at most 5 of 100 studies.",
    ),
    "window_days": Number(
        "Window in days", 1, 90, 1,
        "Requests from so many days before the start to as many after it are looked at.",
    ),
    "rating_budget": Number(
        "Pairs rated at most", 0, 1_000_000, 1,
        "The first so many of the queue decide, and the rest count as not drawn; 0 is all.",
    ),
    "valid_days": Number(
        "Days a sign-off lasts", 1, 730, 1, "Then it expires: traffic and models move on.",
    ),
}  # fmt: skip
#: Numbers that may be left empty: then nothing is asked.
OPTIONAL = {
    "adequacy_floor": Number(
        "Smallest adequate share", 0.5, 0.999, 0.001,
        "Of the answers of the cheap model that are sent, so many must be good enough; "
        "empty asks nothing.",
    ),
    "drop_task_completed": Number(
        "Completed tasks may drop by", 0.001, 0.5, 0.001,
        "Tasks that applications report as completed; empty does not look.",
    ),
    "drop_thumb": Number(
        "Thumbs up may drop by", 0.001, 0.5, 0.001,
        "The share of thumbs that are up; empty does not look.",
    ),
    "drop_score": Number(
        "Scores may drop by", 0.001, 0.5, 0.001,
        "The mean score that applications report; empty does not look.",
    ),
}  # fmt: skip
CHOICES = {
    "loss": Choice(
        "What counts as worse",
        {
            "harm": "The expensive answer was better",
            "inadequate": "The cheap answer is not good enough",
            "strict_harm": "The expensive answer was better and the cheap one not good enough",
        },
        "A rater's verdict on a pair becomes 1 when this is so and 0 when not.",
    ),
    "judge_role": Choice(
        "The judge's role",
        {
            "shown": "Beside people, to be looked at",
            "certificate": "Helps people: their ratings correct it in the certificate",
        },
        "A judge that helps has to be there before the first rating. It never decides alone.",
    ),
    "after_expiry": Choice(
        "When a sign-off expires",
        {
            "keep": "Keep the policy, with a warning on every page",
            "always_expensive": "Go back to always expensive",
        },
        "What happens by itself at that moment; people are told before.",
    ),
    "after_alarm": Choice(
        "When a monitor raises an alarm",
        {
            "mark": "Mark the sign-off stale, with a warning on every page",
            "floor": "Mark it; a floor found broken goes back to always expensive",
            "always_expensive": "Every alarm goes back to always expensive",
        },
        "What happens by itself when traffic, models or ratings after go-live are no longer those "
        "that were studied.",
    ),
}
SWITCHES = {
    "masks_leaks": (
        "Mask leaks", "What tells the model, such as “As Claude, …”, is masked in both answers."
    ),
    "normalises_style": (
        "Make style alike", "Headings, lists and bold become plain, so that form does not decide."
    ),
    "by_task": (
        "A threshold for each task type",
        "Instead of one for all: the error is shared among the types, each with 60 ratings at "
        "least; a type without a threshold stays with the expensive model.",
    ),
    "early_stop": (
        "May stop early", "A fifth of the error is spent on looking every day after the first week."
    ),
    "certified_only": (
        "Only certified thresholds can be signed",
        "Without a tick others can be signed too, with a warning wherever they are shown.",
    ),
}  # fmt: skip


class Group(NamedTuple):
    """Fields of the plan that stand together on a page, with the line above them."""

    title: str
    about: str
    fields: tuple[str, ...]


GROUPS = (
    Group(
        "What is measured", "What makes an answer count as worse.", ("loss", "adequacy_floor"),
    ),
    Group(
        "What has to hold", "A threshold is certified when the floor holds with this confidence.",
        ("floor", "confidence", "by_task", "certified_only"),
    ),
    Group("Window", "Whose requests are looked at.", ("window_days",)),
    Group(
        "Sampling", "Which pairs are drawn. This never changes once the study runs.",
        ("rate", "tilt", "train_rate", "largest_threshold", "ratings_per_pair", "second_share"),
    ),
    Group(
        "Raters", "How people rate and how they are looked after.",
        ("rater_target", "check_every", "origin_every", "practice_pairs", "masks_leaks",
         "normalises_style"),
    ),
    Group("Judge", "What a language model may say beside people.", ("judge_role",)),
    Group("When it ends", "The window's end, or before.", ("early_stop", "rating_budget")),
    Group(
        "Guardrails", "Outcomes that applications report and that must not fall.",
        ("drop_task_completed", "drop_thumb", "drop_score"),
    ),
    Group(
        "After signing", "How long a signature lasts, and what an alarm does to it.",
        ("valid_days", "after_expiry", "after_alarm"),
    ),
)  # fmt: skip
#: Decided when the study starts, since draws are written by it.
FIXED = (
    "rate", "tilt", "train_rate", "largest_threshold", "ratings_per_pair", "second_share",
    "window_days",
)  # fmt: skip
