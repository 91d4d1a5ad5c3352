"""The page of the Python client, from its docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import shadoweval_client


def page() -> str:
    """Return the page, in Markdown."""
    names = [name for name in shadoweval_client.__all__ if name != "AsyncClient"]
    first = ["Client", *(name for name in names if name != "Client")]
    about = "`AsyncClient` has the methods of `Client`, awaited, and `aclose` instead of `close`."
    shown = [_entry(name, getattr(shadoweval_client, name)) for name in first]
    return "\n\n".join(["# The Python client", about, *shown]) + "\n"


def _entry(name: str, thing: Any) -> str:
    parts = [f"## {name}", _called(name, thing), _doc(thing)]
    if name == "Client":
        parts += [_method(*one) for one in vars(thing).items() if not one[0].startswith("_")]
    return "\n\n".join(part for part in parts if part)


def _method(name: str, method: Any) -> str:
    return "\n\n".join([f"### {name}", _called(name, method), _doc(method)])


def _called(name: str, thing: Any) -> str:
    if inspect.isclass(thing) and issubclass(thing, (dict, Exception)):
        return ""
    signature = str(inspect.signature(thing)).replace("self, ", "").replace("(self)", "()")
    return f"```text\n{name}{signature}\n```"


def _doc(thing: Any) -> str:
    """Return a docstring; indented parts (`Args`, `Raises`) as they stand."""
    first, _, rest = (inspect.getdoc(thing) or "").partition("\n\n")
    return f"{first}\n\n```text\n{rest}\n```" if rest else first
