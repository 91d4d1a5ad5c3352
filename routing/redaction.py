"""What is left of texts before they are stored, by how a project wants it; pure.

A redactor is a function from a text to what is left of it and a count of what was taken out, by
kind. Those of `PATTERNS` are always asked; a plug-in names others by their dotted path. What a
pattern cannot see (a name, a number split over two blocks, a picture's content) stays, but for
media, which go whole since nobody can look into them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import re2

from routing.served import Served
from routing.types import ChatRequest, Reply, RetrievalValue

log = logging.getLogger(__name__)

Redactor = Callable[[str], tuple[str, dict[str, int]]]

ALL, REDACTED, NOTHING = "all", "redacted", "nothing"
#: Begin the reasons of jobs whose other tier must not be asked about what is left; see ADR 45.
CHANGED = "redacted: what was asked is not stored whole, and the other model is not asked less"
NOT_KEPT = "not_kept: the project stores no texts, so there is nothing to ask and nothing to rate"
#: Counts texts that no redactor could look through, and stands in their place.
UNSEEN = "unseen"
ANSWER_UNSEEN = "unseen: a redactor failed on an answer, and nobody rates what is left of it"
#: Keys under which clients name their end user.
_USER_KEYS = ("user", "safety_identifier")

_KEYS = (
    r"sk-[A-Za-z0-9_\-]{16,}",
    r"(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|pypi-)[A-Za-z0-9_\-]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"AIza[A-Za-z0-9_\-]{30,}",
    r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{5,}",
)
_WORD = r"""[^\s@<>()\[\]{},;:"'|=/\\]"""
_PHONES = (
    r"\+\d(?:[ ().\-/]{0,2}\d){7,14}",
    r"\(?\b0\d{1,4}\)?[ /\-]\d{2,}(?:[ \-]\d{2,})*",
    r"\(?\b\d{3}\)?[ .\-]\d{3}[ .\-]\d{4}\b",
)
#: By kind, in the order in which they are looked for.
PATTERNS = {
    "key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)-----END [A-Z ]*PRIVATE KEY-----|\b(?:"
    + "|".join(_KEYS)
    + ")",
    # Without counted repetitions: of letters of all alphabets they make RE2 a hundred times slower.
    "email": rf"{_WORD}+@{_WORD}+\.\pL\pL+",
    "card": r"\b\d(?:[ \-]?\d){12,18}\b",
    "phone": "|".join(f"(?:{one})" for one in _PHONES),
}
_DIGITS_OF_PHONES = range(8, 16)
#: Digits as bytes, and what Luhn makes of them: twice a digit, and of that the digits' sum.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


class Unseen(Exception):
    """An answer that cannot be stored since a redactor failed on it."""


@dataclass(frozen=True)
class Keeping:
    """How a project's texts are stored.

    Attributes:
        keeps: `redacted` or `nothing`; a project that keeps everything has no Keeping.
        redactors: asked one after the other.
        key: of the hashes that stand for texts.
    """

    keeps: str
    redactors: tuple[Redactor, ...] = ()
    key: bytes = b""

    def text(self, value: str, counts: Counter[str]) -> str:
        """Return what is left of a text, and count what was taken out.

        A text that a redactor fails on goes whole, and is counted as `UNSEEN`.
        """
        if not value.isascii():  # a model's answer may hold half of a character
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        try:
            for redactor in self.redactors:
                value, found = redactor(value)
                counts.update(found)
        except Exception as exc:  # a plug-in's: the text of the error may hold what was said
            log.error("a redactor failed: %s", type(exc).__name__)
            counts[UNSEEN] += 1
            return f"[{UNSEEN}]"
        return value

    def json(self, value: Any, counts: Counter[str]) -> Any:
        """Return what is left of JSON-like data: of its texts and keys, and without media."""
        if isinstance(value, str):
            if value.startswith("data:") and ";base64," in value[:200]:
                counts["media"] += 1
                return "[media]"
            return self.text(value, counts)
        if isinstance(value, list):
            return [self.json(item, counts) for item in value]
        if isinstance(value, dict):
            if value.get("type") == "base64" and isinstance(value.get("data"), str):
                counts["media"] += 1
                value = {**value, "data": "[media]"}
            return {self.text(k, counts): self.json(item, counts) for k, item in value.items()}
        return value

    def comment(self, value: str) -> str:
        """Return what is left of what somebody said of an answer."""
        return "" if self.keeps == NOTHING else self.text(value, Counter())

    def digest(self, raw: bytes) -> dict[str, str]:
        """Return what stands for a body that is not stored; nobody can try texts against it."""
        return {"hmac_sha256": hmac.new(self.key, raw, hashlib.sha256).hexdigest()}


def pattern(kind: str, source: str) -> Redactor:
    """Return the redactor that puts `[kind]` in the place of what a pattern finds.

    Patterns are RE2: linear in the text, whatever the pattern.

    Raises:
        ValueError: in a sentence, when it is no pattern, or finds the empty text.
    """
    try:
        options = re2.Options()
        options.log_errors = False
        found = re2.compile(source.encode(), options)
    except re2.error as exc:
        raise ValueError(f"{kind}: this is no pattern ({str(exc)[:120]}).") from exc
    if found.search(b""):
        raise ValueError(f"{kind}: a pattern must not find the empty text.")
    is_one = {"card": _is_card, "phone": _is_phone}.get(kind, lambda said: True)

    def redact(text: str) -> tuple[str, dict[str, int]]:
        raw = text.encode()  # places in bytes cost RE2 nothing, those in texts more than the search
        left: list[bytes] = []
        end = 0
        for start, stop in (match.span() for match in found.finditer(raw)):
            if is_one(raw[start:stop]):
                left += raw[end:start], f"[{kind}]".encode()
                end = stop
        n = len(left) // 2
        return (b"".join([*left, raw[end:]]).decode(), {kind: n}) if n else (text, {})

    return redact


_BETWEEN = bytes(set(range(256)) - set(b"0123456789"))


def _is_phone(found: bytes) -> bool:
    return len(found.translate(None, _BETWEEN)) in _DIGITS_OF_PHONES


def _is_card(found: bytes) -> bool:
    """Return whether the digits end with the check digit of Luhn (ISO/IEC 7812-1).

    Example:
        >>> _is_card(b"4111 1111 1111 1111"), _is_card(b"4111 1111 1111 1112")
        (True, False)
    """
    digits = found.translate(None, _BETWEEN)[::-1]
    plain, doubled = digits[::2], digits[1::2].translate(_DOUBLED)
    total = sum(plain) + sum(doubled) - len(digits) * ord("0")
    return total > 0 and total % 10 == 0


#: Those of `PATTERNS`.
DEFAULT: tuple[Redactor, ...] = tuple(pattern(*one) for one in PATTERNS.items())


def user_of(request: ChatRequest) -> str:
    """Return whom the client named as its end user, or ""."""
    payload = request.payload
    metadata = payload.get("metadata")
    said = [metadata.get("user_id") if isinstance(metadata, dict) else None]
    said += [payload.get(key) for key in _USER_KEYS]
    said += [request.metadata.get("user_id")]
    return next((one for one in said if isinstance(one, str) and one), "")


def asked(request: ChatRequest, keeping: Keeping) -> tuple[ChatRequest, dict[str, int]]:
    """Return a request as it is stored, and what was taken out of it, by kind.

    Who the end user is goes with it: a hash stands for them.
    """
    if keeping.keeps == NOTHING:
        return _nothing_of(request, keeping), {"everything": 1}
    counts: Counter[str] = Counter()
    found = request.retrieval
    left = replace(
        request,
        payload=keeping.json(_nameless(request.payload), counts),
        raw=b"",
        query=keeping.text(request.query, Counter()),
        metadata=keeping.json(_nameless(request.metadata), Counter()),
        url_query=keeping.text(request.url_query, Counter()),
        session=keeping.text(request.session, Counter()),
        retrieval=None if found is None else _looked_up(found, keeping),
    )
    return left, dict(counts)


def _nothing_of(request: ChatRequest, keeping: Keeping) -> ChatRequest:
    raw, found = request.raw or json.dumps(request.payload).encode(), request.retrieval
    return replace(
        request,
        payload=keeping.digest(raw),
        raw=b"",
        query="",
        metadata={},
        headers={},
        url_query="",
        session="",
        retrieval=None if found is None else replace(found, query="", sources=()),
    )


def _nameless(said: dict[str, Any]) -> dict[str, Any]:
    """Return a body or metadata without who its end user is."""
    left = {key: value for key, value in said.items() if key not in (*_USER_KEYS, "user_id")}
    if isinstance(left.get("metadata"), dict):
        left["metadata"] = _nameless(left["metadata"])
    return left


def _looked_up(found: RetrievalValue, keeping: Keeping) -> RetrievalValue:
    """Return what was looked up; of the sources only those that the client brought are its own."""
    unseen: Counter[str] = Counter()
    sources = tuple(
        replace(
            one,
            text=keeping.text(one.text, unseen),
            title=keeping.text(one.title, unseen),
            document=keeping.text(one.document, unseen),
        )
        for one in found.sources
    )
    return replace(found, query=keeping.text(found.query, unseen), sources=sources)


def answered(reply: Reply, keeping: Keeping) -> tuple[Reply, dict[str, int]]:
    """Return a reply as it is stored, and what was taken out of it, by kind."""
    if keeping.keeps == NOTHING:
        said = json.dumps(keeping.digest(reply.body)).encode()
        return replace(reply, body=said, text=""), {"everything": 1}
    counts: Counter[str] = Counter()
    body = keeping.json(json.loads(reply.body), counts)
    left = replace(reply, body=json.dumps(body).encode(), text=keeping.text(reply.text, Counter()))
    return left, dict(counts)


def replies(row: Served) -> Served:
    """Return a served reply with its answers as they are stored; a second time changes nothing."""
    keeping = row.keeping
    if keeping is None:
        return row
    counts: Counter[str] = Counter()
    reply = row.reply
    if reply is not None:
        reply, found = answered(reply, keeping)
        counts.update(found)
    probes = []
    for probe in row.probes:
        left, found = answered(probe.reply, keeping)
        counts.update(found)
        probes.append(replace(probe, reply=left))
    taken = {**row.redacted, **({"answer": dict(counts)} if counts else {})}
    skip = row.skip or (ANSWER_UNSEEN if UNSEEN in counts else "")
    return replace(row, reply=reply, probes=tuple(probes), redacted=taken, skip=skip, keeping=None)


def own(said: Sequence[dict[str, str]]) -> tuple[Redactor, ...]:
    """Return the redactors of a project's own patterns, `{"kind", "pattern"}` each.

    Raises:
        ValueError: in a sentence, when one is no pattern.
    """
    return tuple(pattern(one["kind"], one["pattern"]) for one in said)
