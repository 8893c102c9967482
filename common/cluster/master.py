"""The address of a Spark master, checked before Spark itself would wait for it."""

import re
import socket

from common.utils.errors import UserError, short

LOCAL = re.compile(r"local(\[(\d+|\*)\])?")
STANDALONE = re.compile(r"spark://([^\s:/,]+:\d+)(,[^\s:/,]+:\d+)*")
ANSWERS_IN = 5.0
"""Seconds within which a master has to accept a connection."""
KNOWN = "spark://HOST:PORT of a standalone cluster, or local[N] for N threads of this process"


def is_local(master: str) -> bool:
    """Whether a master is threads of this process, without a cluster.

    >>> is_local("local[2]"), is_local("spark://127.0.0.1:7077")
    (True, False)
    """
    return LOCAL.fullmatch(master) is not None


def is_loopback(master: str) -> bool:
    """Whether everything runs on this machine, so that no other address is needed.

    >>> is_loopback("spark://127.0.0.1:7077"), is_loopback("spark://10.0.0.5:7077"), is_loopback("local")
    (True, False, True)
    """
    return is_local(master) or all(host in ("localhost", "127.0.0.1") for host, _ in addresses(master))


def addresses(master: str) -> list[tuple[str, int]]:
    """Host and port of each master that a spark:// address names.

    >>> addresses("spark://a:7077,b:7078")
    [('a', 7077), ('b', 7078)]
    """
    pairs = [part.rsplit(":", 1) for part in master.removeprefix("spark://").split(",")]
    return [(host, int(port)) for host, port in pairs]


def check_master(master: str) -> None:
    """Raise a UserError for an address that is none, or where nobody answers within seconds."""
    if is_local(master):
        return
    if not STANDALONE.fullmatch(master):
        raise UserError(f"--master {short(master)} is no address that is known here; give {KNOWN}")
    failures = [failure for address in addresses(master) if (failure := _why_unreachable(*address))]
    if len(failures) == len(addresses(master)):
        remedy = "check that it runs, and that its log names this address"
        raise UserError(f"no Spark master answers at {master} ({failures[0]}); {remedy}")


def _why_unreachable(host: str, port: int) -> str:
    """What keeps a connection from being made, "" where one is."""
    try:
        socket.create_connection((host, port), timeout=ANSWERS_IN).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
