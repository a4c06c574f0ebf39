"""Where the recipes are, and nginx with one of them."""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

import opencoder_lsp

DEPLOY = Path(opencoder_lsp.__file__).parent / "deploy"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_nginx = pytest.mark.skipif(
    NGINX is None or shutil.which("openssl") is None, reason="no nginx or no openssl here"
)

NAME = "code.example.org"  # of the certificate

# What a Debian nginx.conf has around our file; nothing outside of the folder is written to.
_AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Nginx:
    """nginx with a recipe, some of whose text is exchanged, on `port` of this machine."""

    def __init__(self, folder: Path, recipe: str, changes: Mapping[str, str]) -> None:
        """The recipe has to have each text that is exchanged."""
        self._folder = folder
        self.certificate, key = _certificate(folder)
        # nginx takes over a socket that listens already, so nobody has to wait for its start.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        text = (DEPLOY / recipe).read_text(encoding="utf-8")
        (stem,) = set(re.findall(r"/etc/ssl/certs/(\S+)\.pem", text))
        for old, new in {
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "listen [::]:443 ssl;": "",
            f"/etc/ssl/certs/{stem}.pem": str(self.certificate),
            f"/etc/ssl/private/{stem}.key": str(key),
            **changes,
        }.items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / "site.conf").write_text(text, encoding="utf-8")
        user = "user root;" if os.getuid() == 0 else ""
        around = _AROUND.format(folder=folder, user=user)
        (folder / "nginx.conf").write_text(around, encoding="utf-8")

    def __enter__(self) -> Self:
        log = self._folder / "error.log"
        command = [str(NGINX), "-p", str(self._folder), "-c", "nginx.conf", "-e", str(log)]
        inherited = self._listener.fileno()
        environment = {**os.environ, "NGINX": f"{inherited};"}
        self._process = subprocess.Popen(command, env=environment, pass_fds=[inherited])
        self._listener.close()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        assert self._process.wait() == 0, (self._folder / "error.log").read_text()

    def check(self) -> None:
        """Let nginx read the recipe; fails with what it says."""
        command = [str(NGINX), "-p", str(self._folder), "-c", "nginx.conf", "-t"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "[warn]" not in done.stderr, done.stderr

    def session(self, name: str = NAME) -> aiohttp.ClientSession:
        """Return a client that finds `name` here, and trusts the certificate."""
        trust = ssl.create_default_context(cafile=self.certificate)
        connector = aiohttp.TCPConnector(ssl=trust, resolver=_Here(), force_close=True)
        return aiohttp.ClientSession(f"https://{name}:{self.port}", connector=connector)


class _Here(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        here = "127.0.0.1"
        return [ResolveResult(hostname=host, host=here, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate, signed by itself, and its key."""
    certificate, key = folder / "site.pem", folder / "site.key"
    names = f"DNS:{NAME},DNS:engine.example.org,IP:127.0.0.1"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName={names}"),
            *("-out", str(certificate), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
