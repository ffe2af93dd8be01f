"""Previews that were made, for as long as they are good and their images are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.hooks import Migration, PluginApi, TableSet, Transaction

TABLES = TableSet(
    "url_previews",
    [
        Migration(
            1,
            [
                "CREATE TABLE IF NOT EXISTS url_previews_made (url_hash VARBINARY(32) NOT NULL PRIMARY KEY, "
                "made_ms BIGINT NOT NULL, good_until_ms BIGINT NOT NULL, image_mxc VARBINARY(512), "
                "image_bytes BIGINT NOT NULL, answer MEDIUMBLOB NOT NULL)",
            ],
        )
    ],
)
MOST_PREVIEWS: Final = 10_000
MOST_IMAGE_BYTES: Final = 1_073_741_824
"""So much of previews' images is kept, beyond it the oldest go."""
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview, from when it is and until when it is good."""

    made_ms: int
    good_until_ms: int
    answer: Mapping[str, Any]
    image_mxc: str | None = None
    image_bytes: int = 0


class PreviewTables:
    """Reads and writes the plugin's table."""

    def __init__(self, api: PluginApi) -> None:
        self._api = api

    def find(self, url: str) -> Preview | None:
        """The preview of a link that was made last."""
        rows = self._api.tables.read(
            "SELECT made_ms, good_until_ms, answer, image_mxc, image_bytes FROM url_previews_made WHERE url_hash = ?",
            (_hash(url),),
        )
        if not rows:
            return None
        made_ms, good_until_ms, answer, mxc, size = rows[0]
        return Preview(int(made_ms), int(good_until_ms), json.loads(bytes(answer)), _text(mxc), int(size))

    def keep(self, url: str, preview: Preview) -> list[str]:
        """Write a preview in place of an older one; the images that are not needed any more."""
        answer = json.dumps(preview.answer).encode()
        mxc = None if preview.image_mxc is None else preview.image_mxc.encode()

        def write(transaction: Transaction) -> list[str]:
            key = (_hash(url),)
            old = transaction.rows("SELECT image_mxc FROM url_previews_made WHERE url_hash = ?", key)
            transaction.run("DELETE FROM url_previews_made WHERE url_hash = ?", key)
            transaction.run(
                "INSERT INTO url_previews_made (url_hash, made_ms, good_until_ms, image_mxc, image_bytes, answer) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*key, preview.made_ms, preview.good_until_ms, mxc, preview.image_bytes, answer),
            )
            return [image for (found,) in old if (image := _text(found)) is not None]

        return self._api.tables.transaction(write)

    def drop_before(self, made_ms: int) -> None:
        """Forget previews made before then; their images go by themselves."""
        self._api.tables.transaction(
            lambda transaction: transaction.run("DELETE FROM url_previews_made WHERE made_ms < ?", (made_ms,))
        )

    def drop_beyond(self, previews: int = MOST_PREVIEWS, image_bytes: int = MOST_IMAGE_BYTES) -> list[str]:
        """Forget the oldest until no more than that is left; the images that are not needed any more."""

        def drop(transaction: Transaction) -> list[str]:
            gone: list[str] = []
            while True:
                count, size = transaction.rows("SELECT COUNT(*), SUM(image_bytes) FROM url_previews_made")[0]
                if int(count) <= previews and int(size or 0) <= image_bytes:
                    return gone
                oldest = transaction.rows(
                    f"SELECT url_hash, image_mxc FROM url_previews_made ORDER BY made_ms LIMIT {_PAGE}"
                )
                for url_hash, mxc in oldest:
                    transaction.run("DELETE FROM url_previews_made WHERE url_hash = ?", (bytes(url_hash),))
                    gone += [] if mxc is None else [str(_text(mxc))]

        return self._api.tables.transaction(drop)


def _hash(url: str) -> bytes:
    return hashlib.sha256(url.encode("utf-8", "replace")).digest()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else bytes(value).decode("utf-8")
