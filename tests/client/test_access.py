"""Keys of servers elsewhere: whose they are, and who gets to see them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from opencoder_lsp.client.access import Access, access_to
from opencoder_lsp.client.elsewhere import remote_client
from opencoder_lsp.errors import SettingsError
from opencoder_lsp.settings import Settings

HERE = "https://gpu.example:8443"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of keys."""

    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "keys"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def access(path: Path, url: str = HERE, *pairs: str) -> Access:
    settings = Settings.load(cli=[f"engine.url={HERE}", f"engine.key_file={path}", *pairs])
    return access_to(url, settings)


def test_a_key_alone_is_that_of_the_one_server(write: Write) -> None:
    assert access(write("# mine\n\nabc-123\n")).headers == {"Authorization": "Bearer abc-123"}


@pytest.mark.fault("S19")
def test_a_key_with_an_address_goes_to_that_origin_only(write: Write) -> None:
    path = write(f"{HERE}/v1 one\nhttp://localhost:1 two\n")
    assert access(path).key == "one"
    assert access(path, "https://GPU.example:8443/v1").key == "one"
    for other in (
        "http://gpu.example:8443",
        "https://gpu.example",
        "https://gpu.example.evil:8443",
        "https://gpu.example:84430",
        "unix:/s",
    ):
        assert access(path, other).headers == {}


def test_with_several_servers_a_key_has_to_say_whose_it_is(write: Write) -> None:
    path = write("abc\n")
    with pytest.raises(SettingsError, match="does not say which server a key is for"):
        access(path, HERE, "chat.url=http://127.0.0.1:9")


def test_port_80_and_443_need_not_be_said(write: Write) -> None:
    path = write("https://a.example one\nhttp://b.example:80 two\n")
    assert access(path, "https://a.example:443").key == "one"
    assert access(path, "http://b.example").key == "two"


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o604])
def test_a_file_that_others_can_read_is_refused_with_the_cure(write: Write, mode: int) -> None:
    path = write("abc\n", mode)
    with pytest.raises(SettingsError, match=f"run: chmod 600 {path}") as error:
        access(path)
    assert "abc" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no key"),
        ("one\ntwo\n", "line 2 .* the second one"),
        ("ключ\n", "line 1 .* is no key"),
        ("gpu secret-1\n", "line 1 .* is no key"),
        ("https://a.example secret-1 more\n", "line 1 .* is no key"),
        (f"{HERE} secret-1\n{HERE}/ secret-2\n", "line 2"),
    ],
)
def test_a_file_that_is_none_is_refused_and_not_quoted(
    write: Write, text: str, problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem) as error:
        access(write(text))
    assert "secret" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read .*nowhere: No such file"):
        access(tmp_path / "nowhere")


def test_two_keys_for_one_server_are_refused(write: Write) -> None:
    with pytest.raises(SettingsError, match="in engine.url and engine.key_file"):
        access(write("abc\n"), "https://me:other@gpu.example")


def test_a_key_is_not_in_what_python_shows_of_it(write: Write) -> None:
    assert "abc-123" not in repr(access(write("abc-123\n")))


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_a_file_of_certificates_has_to_be_one(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    settings = Settings.load(cli=[f"engine.url={HERE}", f"engine.ca_file={path}"])
    client = remote_client(HERE, settings)
    with pytest.raises(SettingsError, match=r"engine\.ca_file: cannot use .*ca\.pem"):
        await client.health()
    await client.close()


@pytest.mark.fault("S19")
@pytest.mark.parametrize(
    "name", ["engine.url", "engine.key_file", "engine.ca_file", "completion.url", "chat.url"]
)
def test_no_workspace_says_where_code_and_keys_go(name: str) -> None:
    before = Settings()
    after, (warning,) = before.with_client({name: "https://evil.example"})
    assert after == before
    assert f"{name} is not taken from the editor" in warning
