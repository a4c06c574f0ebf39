"""What may be shown to a model."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from opencoder_lsp.prompt.privacy import is_remote, may_send, refusal
from opencoder_lsp.settings import EngineSettings, PrivacySettings, Settings

DEFAULT = Settings()
REMOTE = Settings(engine=EngineSettings(url="https://example.org"))
ANY = Settings(
    engine=EngineSettings(url="https://example.org"), privacy=PrivacySettings(remote="any")
)


@pytest.mark.fault("F66")
@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.local",
        ".ENV.production",
        "server.pem",
        "Server.PEM",
        "id_rsa",
        "id_ed25519.pub",
        ".netrc",
        ".npmrc",
        ".pypirc",
        "credentials",
        "Credentials.json",
        "terraform.tfstate",
        "vault.kdbx",
        "site.key",
        "store.p12",
        ".ssh/config",
        ".AWS/config",
    ],
)
def test_secrets_are_kept_back_by_name_in_any_letter_case(tmp_path: Path, name: str) -> None:
    assert not may_send(str(tmp_path / name), DEFAULT)


@pytest.mark.parametrize("name", ["app.py", "environment.py", "identity.py", "keys.py", "a.env"])
def test_ordinary_files_may_be_sent_whether_they_exist_or_not(tmp_path: Path, name: str) -> None:
    assert may_send(str(tmp_path / name), DEFAULT)
    (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    assert may_send(str(tmp_path / name), DEFAULT)


def test_a_document_that_was_never_saved_may_be_sent() -> None:
    assert may_send("", DEFAULT)


@pytest.mark.fault("F66")
def test_a_link_to_a_secret_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    (tmp_path / "notes.txt").symlink_to(".env")
    assert not may_send(str(tmp_path / "notes.txt"), DEFAULT)


@pytest.mark.fault("F66")
def test_a_link_named_like_a_secret_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x\n", encoding="utf-8")
    (tmp_path / ".env").symlink_to("notes.txt")
    assert not may_send(str(tmp_path / ".env"), DEFAULT)


@pytest.mark.fault("F66")
def test_every_link_on_the_way_counts(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x\n", encoding="utf-8")
    (tmp_path / "id_rsa").symlink_to(tmp_path / "plain")
    (tmp_path / "notes.txt").symlink_to("id_rsa")
    assert not may_send(str(tmp_path / "notes.txt"), DEFAULT)


def test_a_link_through_a_linked_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    (tmp_path / "real" / "deep" / "notes.txt").symlink_to("../.env")
    (tmp_path / "short").symlink_to("real/deep")
    assert not may_send(str(tmp_path / "short" / "notes.txt"), DEFAULT)


@pytest.mark.fault("F66")
def test_a_circle_of_links_is_kept_back(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert not may_send(str(tmp_path / "a"), DEFAULT)


def test_a_dangling_link_is_judged_by_its_target_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").symlink_to("gone.pem")
    assert not may_send(str(tmp_path / "notes.txt"), DEFAULT)
    (tmp_path / "other.txt").symlink_to("gone.txt")
    assert may_send(str(tmp_path / "other.txt"), DEFAULT)


def test_the_users_patterns_replace_the_usual_ones(tmp_path: Path) -> None:
    settings = Settings(privacy=PrivacySettings(exclude=("Übung*",)))
    assert may_send(str(tmp_path / ".env"), settings)
    assert not may_send(str(tmp_path / "u\u0308bung.py"), settings)  # decomposed, as macOS has it


def test_a_name_is_compared_whole_and_without_its_folder(tmp_path: Path) -> None:
    assert may_send(os.path.join(tmp_path, ".environment", "app.py"), DEFAULT)
    assert may_send(os.path.join(tmp_path, "credentials", "app.py"), DEFAULT)
    assert not may_send("relative/.env", DEFAULT)


# What is decided for which engine, and for what nobody asked for


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("", False),
        ("unix:/run/engine.sock", False),
        ("http://127.0.0.1:8000", False),
        ("http://127.8.9.1", False),
        ("http://[::1]:8000/v1", False),
        ("http://LOCALHOST:8000", False),
        ("http://localhost.example.org", True),
        ("http://127.0.0.1.example.org", True),
        ("http://127.0.0.1@example.org", True),
        ("http://10.0.0.5:8000", True),
        ("http://0.0.0.0:8000", True),
        ("https://example.org", True),
    ],
)
def test_an_engine_of_another_machine_is_told_by_its_address(url: str, remote: bool) -> None:
    assert is_remote(url) is remote


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with a file of each kind."""
    folder = tmp_path / "work"
    (folder / ".git").mkdir(parents=True)
    (folder / ".gitignore").write_text("scratch.py\n", encoding="utf-8")
    (folder / ".opencoderignore").write_text("private.py\n", encoding="utf-8")
    for name in ("app.py", "scratch.py", "private.py", ".env"):
        (folder / name).write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "outside.py").write_text("x = 1\n", encoding="utf-8")
    return folder


Judge = Callable[[Settings, bool], list[str]]


@pytest.fixture
def sent(work: Path) -> Judge:
    """Tell which files may go to an engine."""

    def sent(settings: Settings, gathered: bool) -> list[str]:
        names = ("app.py", "scratch.py", "private.py", ".env", "../outside.py")
        paths = [str(work / name) for name in names]
        folders = [str(work)]
        allowed = [may_send(path, settings, folders, gathered=gathered) for path in paths]
        return [name for name, allow in zip(names, allowed, strict=True) if allow]

    return sent


def test_an_engine_on_this_machine_gets_what_the_user_works_on(sent: Judge) -> None:
    assert sent(DEFAULT, False) == ["app.py", "scratch.py", "../outside.py"]


@pytest.mark.fault("F66")
def test_an_engine_of_another_machine_gets_only_the_workspace_s_own_files(sent: Judge) -> None:
    assert sent(REMOTE, False) == ["app.py"]


def test_the_user_can_let_another_machine_have_all_that_is_no_secret(sent: Judge) -> None:
    assert sent(ANY, False) == ["app.py", "scratch.py", "../outside.py"]


@pytest.mark.parametrize("settings", [DEFAULT, REMOTE, ANY])
@pytest.mark.fault("F66")
def test_only_the_workspace_s_own_files_are_gathered(sent: Judge, settings: Settings) -> None:
    assert sent(settings, True) == ["app.py"]


def test_without_a_folder_nothing_is_gathered_for_another_machine(work: Path) -> None:
    path = str(work / "app.py")
    for settings in (DEFAULT, REMOTE, ANY):
        assert may_send(path, settings)
        remote = settings is not DEFAULT
        assert may_send(path, settings, gathered=True) is not remote
        assert may_send("", settings, gathered=True) is not remote
        assert may_send("", settings)


@pytest.mark.fault("F66")
def test_a_link_out_of_the_workspace_is_not_gathered(work: Path, tmp_path: Path) -> None:
    (work / "link.py").symlink_to(tmp_path / "outside.py")
    (work / "folder").symlink_to(tmp_path)
    for name in ("link.py", "folder/outside.py"):
        path = str(work / name)
        assert not may_send(path, DEFAULT, [str(work)], gathered=True)
        assert not may_send(path, REMOTE, [str(work)])


def test_a_link_to_what_is_left_out_is_left_out(work: Path) -> None:
    (work / "one.py").symlink_to("private.py")
    (work / "two.py").symlink_to("scratch.py")
    (work / "three.py").symlink_to(".env")
    assert not may_send(str(work / "one.py"), DEFAULT, [str(work)])
    assert not may_send(str(work / "two.py"), DEFAULT, [str(work)], gathered=True)
    assert not may_send(str(work / "three.py"), DEFAULT, [str(work)])


@pytest.mark.fault("F66")
def test_a_link_into_a_folder_of_secrets_is_kept_back(work: Path, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host x\n", encoding="utf-8")
    (tmp_path / "keys").symlink_to(".ssh")
    (work / "notes.txt").symlink_to(tmp_path / "keys" / "config")
    assert not may_send(str(work / "notes.txt"), DEFAULT, [str(work)])


def test_a_workspace_that_is_itself_behind_a_link_is_the_workspace(
    work: Path, tmp_path: Path
) -> None:
    (tmp_path / "short").symlink_to(work)
    path = str(tmp_path / "short" / "app.py")
    assert may_send(path, REMOTE, [str(tmp_path / "short")], gathered=True)
    assert may_send(path, REMOTE, [str(work), str(tmp_path / "short")], gathered=True)


def test_dots_in_a_path_lead_nowhere_else(work: Path) -> None:
    assert not may_send(str(work / ".." / "outside.py"), DEFAULT, [str(work)], gathered=True)
    assert not may_send(str(work / "a" / ".." / ".env"), DEFAULT, [str(work)])
    assert not may_send(str(work / "a" / ".." / "private.py"), DEFAULT, [str(work)])


@pytest.mark.parametrize("path", ["/work/\0.py", "/work/\ud800.py", "relative.py", "::"])
def test_what_can_be_no_file_is_judged_by_its_name_and_never_gathered(path: str) -> None:
    assert may_send(path, DEFAULT, ["/work"])
    assert not may_send(path, DEFAULT, ["/work"], gathered=True)
    assert not may_send(path.rpartition("/")[0] + "/.env\0", DEFAULT, ["/work"])


def test_a_path_of_thousands_of_folders_is_judged(tmp_path: Path) -> None:
    (tmp_path / ".opencoderignore").write_text("x.py\n", encoding="utf-8")
    deep = f"{tmp_path}/{'a/' * 3000}"
    assert not may_send(f"{deep}x.py", DEFAULT, [str(tmp_path)])
    assert may_send(f"{deep}y.py", DEFAULT, [str(tmp_path)])


def test_the_reason_names_what_to_change(work: Path) -> None:
    folders = [str(work)]
    assert "privacy.exclude" in refusal(str(work / ".env"), DEFAULT, folders)
    assert ".opencoderignore" in refusal(str(work / "private.py"), DEFAULT, folders)
    assert "privacy.remote" in refusal(str(work / "scratch.py"), REMOTE, folders)
    assert "privacy.remote" in refusal(str(work / "../outside.py"), REMOTE, folders)
    assert refusal(str(work / "app.py"), REMOTE, folders) == ""
