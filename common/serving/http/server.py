"""A socket and uvicorn: where the service listens, and how it starts and stops."""

import contextlib
import ipaddress
import logging
import socket

import uvicorn
from fastapi import FastAPI

from common.serving.http.guard import LOOPBACK
from common.utils.errors import UserError

BACKLOG = 2048
log = logging.getLogger(__name__)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; a UserError where the host is none of this machine or the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise UserError(f"--host {host}: no such host; give an address of this machine, such as 127.0.0.1") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        reason = (error.strerror or str(error)).lower()
        what = f"--host {host} --port {port}: {reason}"
        raise UserError(f"{what}; choose another --port, or end the program that listens there") from None
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hosts_of(host: str) -> tuple[str, ...] | None:
    """The names that requests may be sent to: those of this machine, any where others are let in."""
    if not is_loopback(host):
        return None
    return (*LOOPBACK, f"[{host}]" if ":" in host else host)


def exposed(host: str, port: int) -> str:
    """What is said before others are let in."""
    return (
        f"--host {host} lets every machine that reaches port {port} read names and lists of the data set and write "
        "likes; there is no password. Put a proxy that asks for one in front, and mind the licence of the data"
    )


def serve(app: FastAPI, listening: socket.socket, patience: float) -> None:
    """Answer until SIGTERM or Ctrl-C; requests that run then are finished, for at most `patience` seconds."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        log_config=None,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(patience)),
        server_header=False,
        backlog=BACKLOG,
    )
    with contextlib.suppress(KeyboardInterrupt):  # raised anew once the server has stopped
        uvicorn.Server(config).run(sockets=[listening])
