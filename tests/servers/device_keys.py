"""Devices as clients make them: keys of their own, signed as the specification says."""

from __future__ import annotations

import os
from typing import Any

from nacl.signing import SigningKey as NaclKey

from core.events import unpadded_base64
from core.events.signatures import SigningKey, sign_json


class KeyPair:
    """An Ed25519 key and its public half in Base64."""

    def __init__(self) -> None:
        self.seed = os.urandom(32)
        self.public = unpadded_base64.encode(bytes(NaclKey(self.seed).verify_key))

    def sign(self, obj: dict[str, Any], user_id: str, key_id: str) -> dict[str, Any]:
        """`obj` with the user's signature added, under `ed25519:<key_id>`."""
        return sign_json(obj, user_id, SigningKey(f"ed25519:{key_id}", self.seed))


class ClientDevice:
    """What one device publishes."""

    def __init__(self, user_id: str, device_id: str) -> None:
        self.user_id, self.device_id = user_id, device_id
        self.ed25519 = KeyPair()
        self.curve25519 = unpadded_base64.encode(os.urandom(32))

    def keys(self, **extra: Any) -> dict[str, Any]:
        """Identity keys."""
        obj = {
            "user_id": self.user_id,
            "device_id": self.device_id,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {
                f"curve25519:{self.device_id}": self.curve25519,
                f"ed25519:{self.device_id}": self.ed25519.public,
            },
            **extra,
        }
        return self.sign(obj)

    def one_time_keys(self, first: int, count: int) -> dict[str, Any]:
        """Signed one-time keys with ids from `first` on."""
        return {f"signed_curve25519:{n:06}": self.one_time_key() for n in range(first, first + count)}

    def one_time_key(self, **extra: Any) -> dict[str, Any]:
        """One signed key."""
        return self.sign({"key": unpadded_base64.encode(os.urandom(32)), **extra})

    def fallback_key(self, key_id: str) -> dict[str, Any]:
        """A signed fallback key, as the body of an upload has it."""
        return {f"signed_curve25519:{key_id}": self.one_time_key(fallback=True)}

    def sign(self, obj: dict[str, Any]) -> dict[str, Any]:
        """`obj` signed by the device."""
        return self.ed25519.sign(obj, self.user_id, self.device_id)


class Identity:
    """A user's cross-signing keys."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.master, self.self_signing, self.user_signing = KeyPair(), KeyPair(), KeyPair()

    def body(self) -> dict[str, Any]:
        """The body that publishes all three."""
        return {
            "master_key": self.key("master"),
            "self_signing_key": self.key("self_signing"),
            "user_signing_key": self.key("user_signing"),
        }

    def key(self, usage: str) -> dict[str, Any]:
        """One of the keys, signed by the master key unless it is that."""
        pair: KeyPair = getattr(self, usage)
        obj = {"user_id": self.user_id, "usage": [usage], "keys": {f"ed25519:{pair.public}": pair.public}}
        return obj if usage == "master" else self.master.sign(obj, self.user_id, self.master.public)
