"""An encrypted conversation through matrix-nio, stock: two devices compare emoji, the server restarts, devices come and go.

Arguments are the server's address, two user ids, their password and a folder for stores. Prints `restart` and waits for
a line of input where the server is to be restarted.
"""

import asyncio
import sys
from pathlib import Path

from nio import (
    AsyncClient,
    AsyncClientConfig,
    EnableEncryptionBuilder,
    KeyVerificationKey,
    KeyVerificationStart,
    LoginResponse,
    MegolmEvent,
    RoomMessageText,
    RoomSendResponse,
    SyncResponse,
)

base, alice_id, bob_id, password, folder = sys.argv[1:]
CONFIG = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)


class Device:
    """A device and what it could and could not read."""

    def __init__(self, user_id: str, name: str, login: LoginResponse | None = None) -> None:
        store = Path(folder) / name
        store.mkdir(exist_ok=True)
        self.name, self.read, self.unread = name, [], []
        self.steps, self.emoji = [], []
        self.client = AsyncClient(base, user_id, store_path=str(store), config=CONFIG)
        self.client.add_event_callback(lambda _, event: self.read.append(event.body), RoomMessageText)
        self.client.add_event_callback(lambda _, event: self.unread.append(event), MegolmEvent)
        self.login = login

    async def begin(self) -> "Device":
        if self.login is None:
            self.login = await self.client.login(password, device_name="nio")
            assert isinstance(self.login, LoginResponse), self.login
        else:  # the same device in a process that was started again
            self.client.restore_login(self.login.user_id, self.login.device_id, self.login.access_token)
        await self.sync(full_state=True)
        return self

    async def sync(self, **options: object) -> None:
        answer = await self.client.sync(timeout=500, **options)
        assert isinstance(answer, SyncResponse), answer
        await self.client.send_to_device_messages()
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())

        while self.steps:  # after the messages that the library itself has sent, whose order matters
            await self.verify(self.steps.pop(0))

    async def verify(self, event: KeyVerificationStart | KeyVerificationKey) -> None:
        transaction = event.transaction_id
        if isinstance(event, KeyVerificationStart):
            await self.client.accept_key_verification(transaction)
        else:
            self.emoji = self.client.key_verifications[transaction].get_emoji()
            await self.client.confirm_short_auth_string(transaction)

    async def say(self, room: str, text: str) -> None:
        content = {"msgtype": "m.text", "body": text}
        sent = await self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
        assert isinstance(sent, RoomSendResponse), sent

    async def hears(self, text: str) -> None:
        await until(lambda: text in self.read, self)

    async def log_out(self) -> None:
        await self.client.logout()
        await self.client.close()


async def until(condition, *devices: Device) -> None:
    for _ in range(40):
        if condition():
            return
        for device in devices:
            await device.sync()
    raise AssertionError([(one.name, one.read, one.unread) for one in devices])


def active(device: Device, user_id: str) -> set[str]:
    return {one.device_id for one in device.client.device_store.active_user_devices(user_id)}


def sees_both(device: Device, room: str) -> bool:
    return room in device.client.rooms and len(device.client.rooms[room].users) == 2


async def compare_emoji(asking: Device, asked: Device) -> None:
    for device in (asking, asked):
        device.client.add_to_device_callback(device.steps.append, (KeyVerificationStart, KeyVerificationKey))
    other = asking.client.device_store[alice_id][asked.client.device_id]
    await asking.client.start_key_verification(other)
    await until(lambda: asking.client.device_store[alice_id][asked.client.device_id].verified, asking, asked)
    await until(lambda: asked.client.device_store[alice_id][asking.client.device_id].verified, asking, asked)
    assert asking.emoji == asked.emoji != []


async def restart() -> None:
    print("restart", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def main() -> None:
    first, bob = await Device(alice_id, "first").begin(), await Device(bob_id, "bob").begin()
    state = [EnableEncryptionBuilder().as_dict()]
    room = (await first.client.room_create(invite=[bob_id], initial_state=state)).room_id
    await bob.client.join(room)
    await until(lambda: all(sees_both(one, room) for one in (first, bob)), first, bob)
    await first.say(room, "one lump or two?")
    await bob.hears("one lump or two?")
    second = await Device(alice_id, "second").begin()
    for device in (first, bob):
        await until(lambda device=device: second.login.device_id in active(device, alice_id), device)
    await compare_emoji(first, second)
    await restart()
    await bob.say(room, "is that a new telephone?")
    await first.hears("is that a new telephone?")
    await second.hears("is that a new telephone?")
    await bob.client.close()
    bob = await Device(bob_id, "bob", bob.login).begin()
    await second.say(room, "it is")
    await bob.hears("it is")
    await first.log_out()
    await second.log_out()
    third = await Device(alice_id, "third").begin()
    gone = {first.login.device_id, second.login.device_id}
    await until(lambda: not gone & active(bob, alice_id), bob)
    await until(lambda: third.login.device_id in active(bob, alice_id), bob)
    await bob.say(room, "again?")
    await third.hears("again?")
    await third.say(room, "I lost them")
    await bob.hears("I lost them")
    assert not bob.unread, bob.unread
    for device in (third, bob):
        await device.log_out()
    print("understood", flush=True)


asyncio.run(main())
