"""`hsctl media`, on a database that nobody else uses."""

from __future__ import annotations

import io
import re

import pytest
import yaml

from core.cli.__main__ import main
from core.cli.media import _tools
from core.config import load_config
from core.ids import Requester, UserId, UserNid
from core.media.arrivals import Arrivals
from core.media.spool import Body
from core.media.upload_limits import UploadLimits
from core.media.uploads import Keeper, Uploads, UploadSettings


@pytest.fixture
def config(tmp_path):
    """A configuration file of a server with one upload, `hello`."""
    path = tmp_path / "homeserver.yaml"
    path.write_text(yaml.safe_dump({"server_name": "here.example", "data_dir": str(tmp_path / "data")}))
    return path


def upload(config, content):
    """Upload to the server that is stopped; the URI."""
    with _tools(load_config(config)) as tools:
        writer, plugins, mover = tools.server.storage.writer, tools.vault._plugins, tools.mover
        keeper = Keeper(tools.vault, mover._files, writer)
        limits = UploadLimits(tools.media, plugins, 1000, ())
        settings = UploadSettings(tools.server.server_name, 5, 1000, True)
        uploads = Uploads(tools.media, keeper, mover._spool, limits, Arrivals(), writer, plugins, settings)
        who = Requester(UserId("@a:here.example"), UserNid(1), None, 1)
        return uploads.upload(who, Body(io.BytesIO(content), len(content)), "text/plain", None)


def test_usage_counts_files(config, capsys):
    upload(config, b"hello")
    assert main(["media", "usage", "-c", str(config)]) == 0
    assert re.search(r"5\s+1\s+an account that is gone", capsys.readouterr().out)


def test_check_says_what_is_missing(config, capsys):
    upload(config, b"hello")
    assert main(["media", "check", "--read", "-c", str(config)]) == 0
    for path in (config.parent / "data/media/files").rglob("*"):
        if path.is_file():
            path.unlink()
    assert main(["media", "check", "-c", str(config)]) == 1
    assert "1 files, 1 missing, 0 damaged." in capsys.readouterr().out


def test_purge_lists_first_and_deletes_then(config, capsys):
    uri = upload(config, b"hello")
    order = ["media", "purge", "unreferenced", "--older-than", "0", "-c", str(config)]
    assert main([*order, "--dry-run"]) == 0
    assert uri in capsys.readouterr().out
    assert main(order) == 0
    assert "1 files, 5 bytes, were deleted." in capsys.readouterr().out


def test_what_makes_no_sense_is_refused_with_a_sentence(config, capsys):
    assert main(["media", "quarantine", "http://x", "-c", str(config)]) == 2
    assert main(["media", "move", "moon", "-c", str(config)]) == 2
    assert main(["media", "purge", "local", "--older-than", "soon", "-c", str(config)]) == 2
    assert "There is no backend moon; there are filesystem." in capsys.readouterr().err
