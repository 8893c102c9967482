import socket

import pytest

from common.serving.http.server import bind, exposed, hosts_of, is_loopback
from common.utils.errors import UserError


def test_a_port_in_use_and_a_wrong_host_end_in_a_sentence():
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {port}: address already in use; choose another --port"):
            bind("127.0.0.1", port)
    with pytest.raises(UserError, match="no such host"):
        bind("no such host", 0)
    with pytest.raises(UserError, match=r"--host 203\.0\.113\.9"):
        bind("203.0.113.9", 0)


def test_a_port_is_free_again_at_once():
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
    bind("127.0.0.1", port).close()


def test_others_are_let_in_only_by_the_flag():
    assert is_loopback("127.0.0.7")
    assert "localhost" in (hosts_of("127.0.0.1") or ())
    assert "[::1]" in (hosts_of("::1") or ())
    assert hosts_of("0.0.0.0") is None
    assert "no password" in exposed("0.0.0.0", 80)
