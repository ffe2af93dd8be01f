"""A user's uploads and downloads over raw HTTP, and small images."""

from __future__ import annotations

import io
import os

import requests
from PIL import Image

from tests.servers.trellis import User


class MediaUser:
    """What a user does with media; answers are `requests` responses."""

    def __init__(self, user: User) -> None:
        self.user, self.base = user, user.base
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {user.token}"

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        """One request below /_matrix."""
        return self._session.request(method, f"{self.base}/_matrix{path}", timeout=60, **options)

    def upload(self, content: bytes, content_type: str = "image/png", name: str | None = None) -> str:
        """Upload; `server/media_id`."""
        params = {"filename": name} if name else {}
        headers = {"Content-Type": content_type}
        answer = self.request("POST", "/media/v3/upload", data=content, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["content_uri"].removeprefix("mxc://")

    def download(self, where: str, **options: object) -> requests.Response:
        """GET of the file."""
        return self.request("GET", f"/client/v1/media/download/{where}", **options)

    def thumbnail(self, where: str, width: int = 32, height: int = 32, **query: object) -> requests.Response:
        """GET of a thumbnail."""
        params = {"width": width, "height": height, **query}
        return self.request("GET", f"/client/v1/media/thumbnail/{where}", params=params)


def image(width: int, height: int, form: str = "PNG", color: object = (200, 30, 30), **options: object) -> bytes:
    """An image of one color."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, form, **options)
    return out.getvalue()


def noise(width: int, height: int) -> bytes:
    """A PNG that does not compress."""
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(width * height * 3)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def opened(answer: requests.Response) -> Image.Image:
    """The image in an answer."""
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))
