"""What may be shown to a model."""

import os
from pathlib import Path

import pytest

from opencoder_lsp.prompt.context import may_send
from opencoder_lsp.settings import PrivacySettings, Settings

DEFAULT = Settings()


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
    assert not may_send("relative/.env", DEFAULT)
