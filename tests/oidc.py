"""A small OpenID Connect provider on the loopback: discovery, authorize, token, keys, userinfo.

It checks what a real one checks: client, secret, redirect address, code used once, PKCE (S256).
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.local_http import Server

CLIENT, SECRET = "shadoweval", "c1ient-s3cret"
_KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


class Provider:
    """`claims` is who logs in; `token_claims` and `userinfo` change what is said of them."""

    def __init__(self):
        self.claims = {"sub": "u-1", "email": "eve@example.org", "email_verified": True}
        self.claims["preferred_username"] = "eve"
        self.token_claims, self.userinfo, self.headers = {}, {}, {"kid": "k1"}
        self.signing_key, self.algorithm = _KEYS[0], "RS256"
        self.redirect_uris, self.codes, self.refusals = set(), {}, []
        self.server = Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}/realms/x"
        threading.Thread(target=self.server.serve_forever).start()

    def sign_with_another_key(self):
        self.signing_key = _KEYS[1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def discovery(self):
        names = ("authorization", "token", "userinfo")
        return {f"{name}_endpoint": f"{self.url}/{name}" for name in names} | {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self):
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEYS[0].public_key()))
        return {"keys": [jwk | {"kid": "k1", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked):
        """Return the address to go back to, with a code."""
        right = {"client_id": CLIENT, "response_type": "code", "code_challenge_method": "S256"}
        assert right.items() <= asked.items(), asked
        assert asked["redirect_uri"] in self.redirect_uris, asked
        assert "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, sent):
        asked = self.codes.pop(sent["code"])
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
        assert (sent["client_id"], sent["client_secret"]) == (CLIENT, SECRET)
        assert sent["redirect_uri"] == asked["redirect_uri"]
        said = {"iss": self.url, "aud": CLIENT, "iat": time.time(), "exp": time.time() + 60}
        said |= self.claims | self.token_claims
        key = self.signing_key
        id_token = jwt.encode(said, key, self.algorithm, headers=self.headers)
        return {"access_token": "a-1", "token_type": "Bearer", "id_token": id_token}


def _handler(provider):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.removeprefix("/realms/x")
            if path.startswith("/authorization"):
                back = self._try(provider.authorize, dict(parse_qsl(urlsplit(path).query)))
                self._answer(302 if back else 400, {}, {"location": back or "/"})
            elif path == "/userinfo" and self.headers["authorization"] == "Bearer a-1":
                self._answer(200, provider.claims | provider.userinfo)
            elif path == "/.well-known/openid-configuration":
                self._answer(200, provider.discovery())
            else:
                self._answer(200 if path == "/keys" else 404, provider.keys())

        def do_POST(self):
            sent = self.rfile.read(int(self.headers["content-length"])).decode()
            tokens = self._try(provider.token, dict(parse_qsl(sent)))
            self._answer(200 if tokens else 400, tokens or {"error": "invalid_grant"})

        def _try(self, work, said):
            try:
                return work(said)
            except (AssertionError, KeyError) as exc:
                provider.refusals.append(repr(exc))
                return None

        def _answer(self, status, body, headers=()):
            content = json.dumps(body).encode()
            self.send_response(status)
            fields = {"content-type": "application/json", "content-length": str(len(content))}
            for name, value in (fields | dict(headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    return Handler
