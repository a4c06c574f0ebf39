"""The way to a server elsewhere: names, keys, certificates, redirects."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, RedirectResponse

from opencoder_lsp.errors import EngineError, EngineUnavailableError, OpencoderError
from tests.client.fronts import END, REQUEST, TOKENIZER, Front, front, model, remote, vllm
from tests.fakes.remote import Remote

__all__ = ["front", "model", "remote", "vllm"]
pytestmark = pytest.mark.fault("F63")


@pytest.mark.fault("S7")
async def test_no_redirect_is_followed_and_no_key_goes_elsewhere(
    vllm: Remote, model: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret-key\n")
    keys.chmod(0o600)
    vllm.key = "secret-key"
    front = Front(model, vllm.url, f"engine.key_file={keys}")
    async with Remote("vLLM", TOKENIZER) as evil:
        await front.engine()
        vllm.fail(RedirectResponse(f"{evil.url}/v1/completions", 307))
        with pytest.raises(EngineError, match="a redirect, which is not followed") as error:
            await front.ask()
        assert evil.authorizations == []
    assert "secret-key" not in str(error.value)
    assert set(vllm.authorizations) == {"Bearer secret-key"}
    await front.connection.close()


async def test_a_wrong_key_is_named_with_the_setting(vllm: Remote, front: Front) -> None:
    vllm.key = "another"
    with pytest.raises(EngineError, match=r"HTTP 401: Unauthorized; set engine\.key_file or"):
        await front.engine()


async def test_a_file_of_keys_that_others_can_read_keeps_us_from_connecting(
    vllm: Remote, model: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret-key\n")
    keys.chmod(0o644)
    front = Front(model, vllm.url, f"engine.key_file={keys}")
    with pytest.raises(OpencoderError, match="chmod 600"):
        await front.engine()
    assert front.connection.status.kind == "error"
    assert vllm.authorizations == []
    await front.connection.close()


async def test_a_name_that_is_none_is_unavailable(model: Path) -> None:
    front = Front(model, "http://nowhere.invalid:1")
    with pytest.raises(EngineUnavailableError, match="no engine answers at http://nowhere.invalid"):
        await front.engine()
    await front.connection.close()


async def test_https_where_http_is_spoken_is_named(vllm: Remote, model: Path) -> None:
    front = Front(model, vllm.url.replace("http:", "https:"))
    with pytest.raises(EngineUnavailableError, match="perhaps it is http:// and not https://"):
        await front.engine()
    await front.connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, which nobody has signed."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    made = path.with_name("key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += [
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-keyout",
        str(made),
        "-out",
        str(path),
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_text(path.read_text() + made.read_text())
    return path


async def test_a_certificate_of_ones_own_is_believed_only_where_it_is_named(
    model: Path, certificate: Path
) -> None:
    async with Remote("vLLM", TOKENIZER, end=END, certificate=certificate) as remote:
        front = Front(model, remote.url)
        with pytest.raises(EngineUnavailableError, match=r"not to be trusted; .* engine\.ca_file"):
            await front.engine()
        await front.connection.close()
        front = Front(model, remote.url, f"engine.ca_file={certificate}")
        remote.say("well", "<|im_end|>")
        assert await front.ask() == "well"
        await front.connection.close()


@pytest.mark.fault("F66")
async def test_neither_prompts_nor_keys_are_logged(
    remote: Remote, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    remote.say("canary-answer", "<|im_end|>")
    await front.ask(replace(REQUEST, prompt=[311, 117]))
    remote.fail(JSONResponse({"error": "canary"}, 500))
    with pytest.raises(EngineError):
        await front.ask()
    assert "canary" not in caplog.text
    assert "311, 117" not in caplog.text
