"""Keys of servers elsewhere that are in the system's keyring."""

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from opencoder_lsp.client.access import access_to
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import Settings
from tests.client.fronts import Front, model, remote, vllm
from tests.fakes.remote import Remote

__all__ = ["model", "remote", "vllm"]

HERE = "https://gpu.example:8443"


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("secret-1 stays where it is")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


@pytest.fixture
def ring() -> Iterator[Ring]:
    """The system's keyring for the length of a test."""
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def key(url: str = HERE, *pairs: str) -> str:
    settings = Settings.load(cli=[f"engine.url={url}", "engine.keyring=true", *pairs])
    return access_to(url, settings).key


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        (HERE, HERE),
        (f"{HERE}/v1", HERE),
        ("https://GPU.example:443/", "https://gpu.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_entry_is_named_by_its_server(ring: Ring, url: str, entry: str) -> None:
    ring.set_password("opencoder-lsp", entry, "abc-123")
    assert key(url) == "abc-123"


@pytest.mark.fault("S19")
@pytest.mark.parametrize("url", ["http://gpu.example:8443", "https://gpu.example", "unix:/s"])
def test_no_other_server_gets_its_key(ring: Ring, url: str) -> None:
    ring.set_password("opencoder-lsp", HERE, "abc-123")
    assert access_to(url, Settings.load(cli=["engine.keyring=true", f"chat.url={HERE}"])).key == ""


def test_for_an_address_that_is_none_the_keyring_is_not_asked(ring: Ring) -> None:
    ring.locked = True
    assert key("https://:1") == ""


def test_a_keyring_without_the_entry_is_named_with_the_cure(ring: Ring) -> None:
    with pytest.raises(SettingsError, match=f"run: keyring set opencoder-lsp {HERE}$"):
        key()


def test_an_entry_that_is_no_key_is_not_quoted(ring: Ring) -> None:
    ring.set_password("opencoder-lsp", HERE, "secret 1\n")
    with pytest.raises(SettingsError, match="is no key; run: keyring set") as error:
        key()
    assert "secret" not in str(error.value)


def test_a_keyring_that_stays_locked_is_said_and_not_quoted(ring: Ring) -> None:
    ring.locked = True
    with pytest.raises(SettingsError, match=r"cannot be read \(KeyringLocked\); unlock") as error:
        key()
    assert "secret" not in str(error.value)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match="run: pip install keyring"):
        key()


@pytest.mark.parametrize(
    ("url", "pairs", "names"),
    [
        (HERE, ["engine.key_file=/keys"], "engine.key_file and engine.keyring"),
        ("https://me:other@gpu.example", [], "engine.url and engine.keyring"),
    ],
)
def test_a_key_has_one_place(ring: Ring, url: str, pairs: list[str], names: str) -> None:
    with pytest.raises(SettingsError, match=names) as error:
        key(url, *pairs)
    assert "other" not in str(error.value)


async def test_a_server_is_asked_with_its_key(ring: Ring, vllm: Remote, model: Path) -> None:
    ring.set_password("opencoder-lsp", vllm.url, "abc-123")
    vllm.key = "abc-123"
    front = Front(model, vllm.url, "engine.keyring=true")
    await front.engine()
    assert set(vllm.authorizations) == {"Bearer abc-123"}
    await front.connection.close()


def test_no_workspace_has_the_keyring_asked() -> None:
    after, (warning,) = Settings().with_client({"engine.keyring": True})
    assert not after.engine.keyring
    assert "engine.keyring is not taken from the editor" in warning
