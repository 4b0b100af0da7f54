"""Signed tokens, valid and invalid, and their key sets."""

import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

DIGESTS = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def encode(data):
    """base64url without padding; objects as JSON."""
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, width=None):
    return encode(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key pair: Key.rsa("a"), Key.ec("b"), or a secret: Key.secret("c", b"…")."""

    def __init__(self, kid, alg, private):
        self.kid, self.alg, self.private = kid, alg, private

    @classmethod
    def rsa(cls, kid, alg="RS256", bits=2048):
        return cls(kid, alg, rsa.generate_private_key(public_exponent=65537, key_size=bits))

    @classmethod
    def ec(cls, kid, alg="ES256"):
        curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}[alg]
        return cls(kid, alg, ec.generate_private_key(curve()))

    @classmethod
    def secret(cls, kid, secret, alg="HS256"):
        return cls(kid, alg, secret)

    @property
    def pem(self):
        """The public key as a JWK."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def jwk(self):
        common = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if isinstance(self.private, bytes):
            return {**common, "kty": "oct", "k": encode(self.private)}
        numbers = self.private.public_key().public_numbers()
        if isinstance(numbers, rsa.RSAPublicNumbers):
            return {**common, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        width = (self.private.curve.key_size + 7) // 8
        return {**common, "kty": "EC", "crv": {32: "P-256", 48: "P-384", 66: "P-521"}[width],
                "x": number(numbers.x, width), "y": number(numbers.y, width)}

    def signature(self, text, alg=None):
        digest = DIGESTS[(alg or self.alg)[2:]]()
        if isinstance(self.private, bytes):
            return hmac.new(self.private, text, getattr(hashlib, f"sha{(alg or self.alg)[2:]}")).digest()
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(text, padding.PKCS1v15(), digest)
        r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(digest)))
        width = (self.private.curve.key_size + 7) // 8
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")

    def token(self, claims, **head):
        """Signs claims as a token. head replaces members of its header; None removes one."""
        full = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **head}
        text = f"{encode({k: v for k, v in full.items() if v is not None})}.{encode(claims)}"
        return f"{text}.{encode(self.signature(text.encode()))}"


def jwks(*keys):
    return {"keys": [key.jwk for key in keys]}


def claims(**over):
    """The claims of a valid token. over replaces claims; None removes one."""
    now = int(time.time())
    full = {"iss": "https://issuer.test", "aud": "greenroom", "sub": "alice", "iat": now, "nbf": now,
            "exp": now + 300, "scope": "rooms:read", **over}
    return {name: value for name, value in full.items() if value is not None}
