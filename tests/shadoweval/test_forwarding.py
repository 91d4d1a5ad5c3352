"""Who asks behind a proxy: what the proxy saw, never what the client made up."""

import asyncio
import re
from pathlib import Path

import pytest
import yaml
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("saw", ["198.51.100.4", "10.1.2.3"])
def test_in_kubernetes_the_ingress_says_who_asks_and_the_client_does_not(saw):
    told = yaml.safe_load((ROOT / "deploy/kubernetes/config.yaml").read_text())["data"]
    said = f"203.0.113.7, {saw}".encode()
    assert _asks(told["FORWARDED_ALLOW_IPS"], "10.244.1.9", said) == saw
    assert _asks(told["FORWARDED_ALLOW_IPS"], "198.51.100.9", said) == "198.51.100.9"


def _asks(allowed, peer, said):
    scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", said)]}

    async def application(*_):
        pass

    asyncio.run(ProxyHeadersMiddleware(application, allowed)(scope, None, None))
    return scope["client"][0]


@pytest.mark.parametrize("path", ["deploy/nginx.conf", "docs/operations.md"])
def test_nginx_overwrites_what_a_client_says_of_itself(path):
    said = (ROOT / path).read_text()
    locations = re.findall(r"location / \{.*?\}", said, re.DOTALL)
    assert locations
    assert all("proxy_set_header X-Forwarded-For $remote_addr;" in one for one in locations)
    assert "real_ip_recursive on" not in said
