"""Three people with many devices, as clients see one another: device lists kept by syncing, one-time keys by claiming.

Each device believes only what it is told: it asks for a user's keys when a sync names the user, and for nobody else's.
The server is killed or restarted now and then, also in the middle of claims.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import requests

from tests.servers.device_keys import ClientDevice
from tests.servers.trellis import Server, User

CLAIMERS = 4
KEYS = 20
MOST_KEYS = 2_000


class Device:
    """One session: its keys, and what it believes of others' devices."""

    def __init__(self, user: User, keys: int) -> None:
        self.user = user
        self.client = ClientDevice(user.user_id, user.device_id)
        self.uploaded = 0
        self.token: str | None = None
        self.believes: dict[str, set[str]] = {}
        self.upload(keys)

    def upload(self, count: int) -> None:
        """Publish identity keys and more one-time keys, as many as the server keeps."""
        waiting = self.user.post("/v3/keys/upload", {"device_keys": self.client.keys()})["one_time_key_counts"]
        count = min(count, MOST_KEYS - waiting.get("signed_curve25519", 0))
        keys = self.client.one_time_keys(self.uploaded, count)
        self.user.post("/v3/keys/upload", {"one_time_keys": keys})
        self.uploaded += count

    def sync(self) -> bool:
        """Sync once, and look at those that are named; whether anybody was."""
        answer = self.user.sync(self.token)
        is_first, self.token = self.token is None, answer["next_batch"]
        lists = answer.get("device_lists", {})
        changed, left = set(lists.get("changed", [])), set(lists.get("left", []))
        if is_first:
            changed = set(self.partners())
        for user in left:
            self.believes.pop(user, None)
        if changed:
            self.believes.update(self.ask(changed))
        return bool(changed or left)

    def ask(self, users: set[str]) -> dict[str, set[str]]:
        """The devices of some users, as the server says."""
        found = self.user.post("/v3/keys/query", {"device_keys": {user: [] for user in users}})["device_keys"]
        return {user: set(found.get(user, {})) for user in users}

    def partners(self) -> set[str]:
        """Who shares a room with the user, the user included."""
        rooms = self.user.get("/v3/joined_rooms")["joined_rooms"]
        found = {self.user.user_id}
        for room in rooms:
            found |= set(self.user.get(f"/v3/rooms/{room}/joined_members")["joined"])
        return found


class World:
    """What happens."""

    def __init__(self, server: Server, seed: int, keys: int = KEYS) -> None:
        self.server, self.random, self.keys = server, random.Random(seed), keys
        self.claimed: list[str] = []
        self.devices = [Device(server.register(), keys) for _ in range(3)]
        self.accounts = [device.user for device in self.devices]
        self.watcher = server.register()
        self.rooms = [self.watcher.create_room(preset="public_chat") for _ in range(2)]

    def step(self) -> None:
        """One thing at random."""
        steps: list[Callable[[], None]] = [
            *[self.sync] * 4,
            *[self.claim] * 3,
            self.join,
            self.leave,
            self.sign_in,
            self.sign_out,
            self.upload,
            self.rename,
            self.restart,
        ]
        self.random.choice(steps)()

    def sync(self) -> None:
        """A device syncs."""
        self.random.choice(self.devices).sync()

    def join(self) -> None:
        """Somebody joins a room, perhaps again."""
        self.random.choice(self.devices).user.join(self.random.choice(self.rooms))

    def leave(self) -> None:
        """Somebody leaves a room."""
        device, room = self.random.choice(self.devices), self.random.choice(self.rooms)
        if room in device.user.get("/v3/joined_rooms")["joined_rooms"]:
            device.user.post(f"/v3/rooms/{room}/leave")

    def sign_in(self) -> None:
        """A new device."""
        self.devices.append(Device(self.server.login(self.random.choice(self.accounts)), self.keys))

    def sign_out(self) -> None:
        """A device goes; each account keeps one."""
        device = self.random.choice(self.devices)
        if sum(one.user.user_id == device.user.user_id for one in self.devices) > 1:
            self.devices.remove(device)
            device.user.post("/v3/logout")

    def upload(self) -> None:
        """More one-time keys."""
        self.random.choice(self.devices).upload(self.keys)

    def rename(self) -> None:
        """A device gets another name."""
        device = self.random.choice(self.devices)
        name = {"display_name": f"name {self.random.random()}"}
        device.user.put(f"/v3/devices/{device.user.device_id}", name)

    def restart(self) -> None:
        """The server stops, or dies while keys are being claimed."""
        if self.random.random() < 0.5:
            self.server.stop()
        else:
            with ThreadPoolExecutor(CLAIMERS) as pool:
                claims = [pool.submit(self._claim_until_it_dies) for _ in range(CLAIMERS)]
                time.sleep(self.random.uniform(0, 0.1))  # the moment of death is the point, not a wait for something
                self.server.kill()
                for claim in claims:
                    claim.result()
        self.server.start()

    def claim(self) -> None:
        """A few claim at the same time, from every device."""
        with ThreadPoolExecutor(CLAIMERS) as pool:
            for claim in [pool.submit(self.claim_once) for _ in range(CLAIMERS)]:
                claim.result()

    def claim_once(self) -> int:
        """Claim a key of each device; how many were given. Each is told apart by its value."""
        wanted: dict[str, dict[str, str]] = {}
        for device in self.devices:
            wanted.setdefault(device.user.user_id, {})[device.user.device_id] = "signed_curve25519"
        claimer = User(self.watcher.base, self.watcher.user_id, self.watcher.token, self.watcher.device_id)
        found = claimer.post("/v3/keys/claim", {"one_time_keys": wanted})["one_time_keys"]
        given = [key["key"] for devices in found.values() for keys in devices.values() for key in keys.values()]
        self.claimed.extend(given)
        return len(given)

    def _claim_until_it_dies(self) -> None:
        with suppress(requests.RequestException, ValueError):
            while self.claim_once():
                pass

    def check(self) -> None:
        """All is quiet: nobody believes what is not so, and no key was given twice."""
        for device in self.devices:
            device.sync()
            while device.sync():
                pass
            partners = device.partners()
            believed = {user: found for user, found in device.believes.items() if user in partners}
            assert believed == device.ask(partners)
        assert len(set(self.claimed)) == len(self.claimed)
        assert self.claimed
