"""matrix-nio, unmodified."""

import subprocess
import sys

from tests.interop.conftest import SCRIPTS, run_with_restarts
from tests.servers.trellis import ROOT, Server


def test_two_people_talk_through_matrix_nio(server, run_script):
    alice, bob = server.register(password="secret"), server.register(password="secret")
    assert "talked" in run_script("nio_conversation.py", server.base, alice.user_id, bob.user_id, "secret")


def test_accounts_made_by_hsctl_talk_too(tmp_path, run_script):
    server = Server(tmp_path)
    for name in ("carol", "dave"):
        command = [sys.executable, "-m", "core.cli", "user", "create", name, "-c", str(server.config_path)]
        made = subprocess.run([*command, "--password", "secret"], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stderr
    server.start()
    try:
        people = (f"@carol:{server.name}", f"@dave:{server.name}")
        assert "talked" in run_script("nio_conversation.py", server.base, *people, "secret")
    finally:
        server.stop()


def test_an_encrypted_conversation_survives_restarts_and_new_devices(server, interop_python, tmp_path):
    alice, bob = server.register(password="secret"), server.register(password="secret")
    people = (alice.user_id, bob.user_id, "secret", str(tmp_path))
    assert (
        run_with_restarts([interop_python, SCRIPTS / "nio_encryption.py", server.base, *people], server) == "understood"
    )


def test_matrix_nio_shows_what_happens_in_rooms(server, run_script):
    alice, bob = server.register(password="secret"), server.register(password="secret")
    assert "ok paging_and_profile" in run_script("nio_rooms.py", server.base, alice.user_id, bob.user_id, "secret")
