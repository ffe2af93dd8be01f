"""Uploads a picture with matrix-nio, and gets it and its thumbnail back. Arguments: base URL, user id, token, picture."""

import asyncio
import sys
from pathlib import Path

from nio import AsyncClient, DiskDownloadResponse, DownloadResponse, ThumbnailResponse, UploadResponse
from nio.api import ResizingMethod


async def main(base: str, user: str, token: str, path: str) -> None:
    picture = Path(path).read_bytes()
    client = AsyncClient(base, user)
    client.access_token = token
    with open(path, "rb") as file:
        uploaded, _ = await client.upload(file, "image/png", "a picture.png", filesize=len(picture))
    assert isinstance(uploaded, UploadResponse), uploaded
    downloaded = await client.download(uploaded.content_uri)
    assert isinstance(downloaded, (DownloadResponse, DiskDownloadResponse)), downloaded
    assert downloaded.body == picture
    server, media_id = uploaded.content_uri.removeprefix("mxc://").split("/")
    small = await client.thumbnail(server, media_id, 32, 32, ResizingMethod.crop)
    assert isinstance(small, ThumbnailResponse), small
    assert small.body.startswith(b"\x89PNG")
    await client.close()
    print("shown")


asyncio.run(main(*sys.argv[1:]))
