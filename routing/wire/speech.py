"""The three APIs that clients speak, each as one value: how to read, refuse and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from routing.errors import RequestError
from routing.types import DIALECTS, ChatRequest, Dialect
from routing.wire import anthropic, native, openai


@dataclass(frozen=True)
class Speech:
    """One client API. `name` is what the ledger calls the wire."""

    name: str
    module: ModuleType
    parse: Callable[[bytes, dict[str, str]], ChatRequest]
    error_body: Callable[[RequestError, str], bytes]
    error_event: Callable[[RequestError, str], bytes]
    error_type: str = "application/json"

    @property
    def dialect(self) -> Dialect:
        """The family of its bodies."""
        return DIALECTS[self.name]


def _of(module: ModuleType, error_type: str = "application/json") -> Speech:
    return Speech(
        module.NAME, module, module.parse, module.error_body, module.error_event, error_type
    )


ANTHROPIC = _of(anthropic)
OPENAI = _of(openai)
NATIVE = Speech(
    native.NAME,
    native,
    native.parse,
    native.error_body,
    native.error_body,  # never called: native replies are never streams
    "application/problem+json",
)
