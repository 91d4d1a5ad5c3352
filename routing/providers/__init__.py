"""Providers by name; one vendor, one file."""

from importlib import import_module
from typing import cast

from routing.providers.base import Batches, Provider

_PROVIDERS = {
    "anthropic": "routing.providers.anthropic.AnthropicProvider",
    "openai": "routing.providers.openai.OpenAIProvider",
    "simulated": "routing.providers.simulated.SimulatedProvider",
}
_WITH_BATCHES = ("anthropic",)
_instances: dict[str, Provider] = {}


def get(name: str) -> Provider:
    """Return the process's instance of a provider.

    Raises:
        KeyError: when no provider has this name.
    """
    if name not in _instances:
        module, _, attribute = _PROVIDERS[name].rpartition(".")
        _instances[name] = getattr(import_module(module), attribute)()
    return _instances[name]


def batches(name: str) -> Batches | None:
    """Return the provider's batches, None when it has none."""
    return cast("Batches", get(name)) if name in _WITH_BATCHES else None


async def close_all() -> None:
    """Close the pooled connections of every provider that was used."""
    while _instances:
        _, provider = _instances.popitem()
        await provider.close()
