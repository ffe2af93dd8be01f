"""The first-party backends keep the same promises: the folder and the bucket."""

from __future__ import annotations

import io
import os
import secrets

import pytest

from core.hooks import PluginError
from plugins.filesystem_media.plugin import FilesystemMedia, Folder


def bucket():
    """A backend on a local stand-in for S3, and what stops that."""
    pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    from plugins.s3_media.plugin import Bucket, S3Settings

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = Bucket(
        S3Settings("media", f"{secrets.token_hex(4)}/", f"http://{host}:{port}", "us-east-1", "key", "secret")
    )
    found._client.create_bucket(Bucket="media")
    return found, server.stop


@pytest.fixture(params=["filesystem", "s3"])
def backend(request, tmp_path):
    if request.param == "filesystem":
        yield Folder(tmp_path)
        return
    found, stop = bucket()
    yield found
    stop()


def test_what_was_written_is_read_from_any_byte_on(backend):
    content = os.urandom(9_000_000)
    backend.write("files/ab/cd/x", io.BytesIO(content))
    assert backend.size("files/ab/cd/x") == len(content)
    assert b"".join(backend.read("files/ab/cd/x")) == content
    assert b"".join(backend.read("files/ab/cd/x", 8_999_990)) == content[-10:]
    assert b"".join(backend.read("files/ab/cd/x", len(content))) == b""


def test_writing_again_replaces(backend):
    for content in (b"first", b"second"):
        backend.write("files/x", io.BytesIO(content))
    assert b"".join(backend.read("files/x")) == b"second"


def test_what_is_not_there_is_none(backend):
    assert (backend.read("files/x"), backend.size("files/x"), backend.delete("files/x")) == (None, None, False)


def test_a_deleted_file_is_gone(backend):
    backend.write("files/x", io.BytesIO(b"x"))
    assert (backend.delete("files/x"), backend.read("files/x")) == (True, None)


def test_the_source_stays_open(backend, tmp_path):
    with (tmp_path / "source").open("wb+") as source:
        source.write(b"still mine")
        source.seek(0)
        backend.write("files/x", source)
        source.seek(0)
        assert source.read() == b"still mine"
    (tmp_path / "source").unlink()
    assert b"".join(backend.read("files/x")) == b"still mine"


def test_a_wrong_configuration_is_refused_with_a_sentence():
    with pytest.raises(PluginError, match="takes one setting, path"):
        FilesystemMedia.parse_config({"path": 5})
    pytest.importorskip("boto3")
    from plugins.s3_media.plugin import S3Media

    with pytest.raises(PluginError, match="bucket must be set"):
        S3Media.parse_config({})
    with pytest.raises(PluginError, match="buckt is no setting"):
        S3Media.parse_config({"buckt": "x"})
