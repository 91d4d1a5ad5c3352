"""Name the task type of a query: what the client said, else a few plain patterns.

The patterns are deliberately few. A policy may have a threshold for each task type, so that a wrong
name is a wrong threshold: clients that know their task types say them.
"""

import re

UNKNOWN = "unknown"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("rag", re.compile(r"\b(based on|according to|using only|given) (the|this) (text|context|passage|document|article)", re.I)),
    ("coding", re.compile(r"```|\bdef \w+\(|\b(python|javascript|typescript|java|sql|regex|bash|rust|golang|c\+\+|api endpoint|stack trace|unit test|function that|segfault|compile|refactor)\b", re.I)),
    ("math", re.compile(r"\b(solve|integral|derivative|equation|probability|prove that|how many|how much|percent|sum of|square root|matrix|triangle)\b|\d\s*[+*/^=]\s*\d|\$\\?\w", re.I)),
    ("writing", re.compile(r"\b(write|draft|rewrite|rephrase|summari[sz]e|translate|poem|essay|e-?mail|letter|blog post|slogan|headline|proofread)\b", re.I)),
    ("reasoning", re.compile(r"\b(why|explain|compare|trade-?offs?|pros and cons|should (i|we)|plan|strategy|analy[sz]e|what would happen|argue)\b", re.I)),
    ("chat", re.compile(r"^\W*(hi|hello|hey|thanks|thank you|good (morning|evening)|how are you)\b", re.I)),
    ("factual", re.compile(r"^\W*(who|what|when|where|which|is|are|does|do|did|can|how)\b", re.I)),
)  # fmt: skip


def detect(query: str, given: str = "") -> str:
    """Return the task type: the client's word when it is one, else the first pattern that fits."""
    if given:
        return given
    head = query[:4000]
    return next((name for name, pattern in _PATTERNS if pattern.search(head)), UNKNOWN)
