"""An ASGI application on a free port of this machine, with TLS if it has a certificate."""

import socket
from pathlib import Path

from starlette.types import ASGIApp

from tests.fakes.unix_server import UnixServer


class TcpServer(UnixServer):
    """As UnixServer; `port` is known inside of the context."""

    def __init__(self, app: ASGIApp, certificate: Path | None = None) -> None:
        """`certificate` is a PEM file that has the key in it, too."""
        super().__init__(app, Path())
        self.port = 0
        if certificate is not None:
            self.config.ssl_certfile = str(certificate)
            self.config.ssl_keyfile = str(certificate)

    def listener(self) -> socket.socket:
        """Return the socket to listen on."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        return listener

    def forget(self) -> None:
        """Nothing is left of a port."""
