"""One bucket as a place for media: nothing but the upload that is coming in stays on this machine.

boto3 waits for the network as a greenlet, since the server patches sockets; its signing of a large upload is cut in
parts, so no call keeps the others waiting for long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from core.hooks import MediaBackend, PluginApi, PluginError, hookimpl

PIECE_BYTES = 262_144
PART_BYTES = 8 * 1024 * 1024
CONNECTIONS = 50
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_TEXTS = ("bucket", "prefix", "endpoint_url", "region_name", "access_key_id", "secret_access_key")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Which bucket, and how to reach it; keys that are not set come from boto3's own sources."""

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    region_name: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None


class Bucket:
    """The backend."""

    name = "s3"

    def __init__(self, settings: S3Settings) -> None:
        self._bucket, self._prefix = settings.bucket, settings.prefix
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region_name,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            config=Config(
                connect_timeout=10,
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
                max_pool_connections=CONNECTIONS,
            ),
        )
        self._transfer = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False
        )

    def write(self, path: str, source: BinaryIO) -> None:
        """Store what `source` reads; S3 shows an object only when it is whole."""
        self._client.upload_fileobj(_Unclosed(source), self._bucket, self._prefix + path, Config=self._transfer)

    def read(self, path: str, start: int = 0) -> Iterable[bytes] | None:
        """The file from byte `start` on, in pieces; None if there is no such file."""
        asked = {"Range": f"bytes={start}-"} if start else {}
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path, **asked)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code == "InvalidRange":
                return ()
            if code in _MISSING:
                return None
            raise
        return _pieces(found["Body"])

    def size(self, path: str) -> int | None:
        """The file's size in bytes; None if there is no such file."""
        try:
            return int(self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)["ContentLength"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise

    def delete(self, path: str) -> bool:
        """Remove the file; False if there was none."""
        if self.size(path) is None:
            return False
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)
        return True


class S3Media:
    """The plugin."""

    def __init__(self, settings: S3Settings, api: PluginApi) -> None:
        self._backend = Bucket(settings)

    @staticmethod
    def parse_config(config: Mapping[str, Any]) -> S3Settings:
        """Check the configuration. Raises PluginError naming key, value and what is allowed."""
        for key, value in config.items():
            if key not in _TEXTS:
                raise PluginError(f"{key} is no setting of it; allowed are {', '.join(_TEXTS)}")
            if value is not None and not isinstance(value, str):
                raise PluginError(f"{key} is {value!r}; it must be text")
        if not config.get("bucket"):
            raise PluginError("bucket must be set to the name of a bucket")
        return S3Settings(**config)

    @hookimpl
    def contribute_storage_backends(self) -> Sequence[MediaBackend]:
        """The bucket, as the backend `s3`."""
        return [self._backend]


class _Unclosed:
    """A file as boto3 may have it: boto3 closes what it is given, and the server still needs it."""

    def __init__(self, source: BinaryIO) -> None:
        self.read, self.seek, self.tell = source.read, source.seek, source.tell

    def close(self) -> None:
        """Nothing: the file is the server's."""


def _pieces(body: Any) -> Iterator[bytes]:
    try:
        yield from body.iter_chunks(PIECE_BYTES)
    finally:
        body.close()
