"""Killing `hsctl media move` on its way into a bucket: it goes on where it was, and loses and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.api.client.media_client import MediaUser
from tests.servers.trellis import ROOT, Server

FILES = 24


@pytest.fixture
def bucket():
    """A client of a local stand-in for S3, its bucket, and the settings of the plugin."""
    boto3 = pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "bucket": "moved", "endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1", "access_key_id": "key",
        "secret_access_key": "secret",
    }  # fmt: skip
    client = boto3.client("s3", endpoint_url=settings["endpoint_url"], region_name="us-east-1",
                          aws_access_key_id="key", aws_secret_access_key="secret")  # fmt: skip
    client.create_bucket(Bucket="moved")
    yield client, settings
    server.stop()


def names_in(client) -> set[str]:
    """What the bucket has."""
    return {found["Key"].rpartition("/")[2] for found in client.list_objects_v2(Bucket="moved").get("Contents", ())}


def on_disk(server) -> set[str]:
    """What the folder has."""
    return {path.name for path in (server.folder / "media/files").rglob("*") if path.is_file()}


def begin_move(server) -> subprocess.Popen:
    """`hsctl media move s3`, on its way."""
    command = [sys.executable, "-m", "core.cli", "media", "move", "s3", "-c", str(server.config_path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.timeout(110)
def test_a_move_that_is_killed_again_and_again_ends_with_every_file_in_the_bucket(tmp_path, bucket):
    client, settings = bucket
    modules = [{"module": "plugins.s3_media.S3Media", "config": settings}]
    server = Server(tmp_path, modules=modules)
    media = MediaUser(server.start().register())
    uploads = {media.upload(content, "application/zip"): content for content in (os.urandom(900) for _ in range(FILES))}
    server.stop()
    for enough in (3, 9):
        move, deadline = begin_move(server), time.monotonic() + 30
        while len(names_in(client)) < enough and time.monotonic() < deadline and move.poll() is None:
            time.sleep(0.02)  # the other process gives no other sign of how far it is
        move.send_signal(signal.SIGKILL)
        move.communicate()
        assert len(names_in(client) | on_disk(server)) == FILES
    last = begin_move(server)
    said, _ = last.communicate(timeout=60)
    assert (last.returncode, "files were moved to s3." in said) == (0, True), said
    assert (len(names_in(client)), on_disk(server)) == (FILES, set())
    server.config_path.write_text(yaml.safe_dump({**server.config, "media_backend": "s3"}))
    server.start()
    try:
        assert all(media.download(where).content == content for where, content in uploads.items())
        media.upload(b"only in the bucket", "application/zip")
        assert (len(names_in(client)), on_disk(server)) == (FILES + 1, set())
    finally:
        server.stop()
