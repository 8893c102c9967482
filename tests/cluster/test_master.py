"""Addresses of masters that are none, and masters that do not answer."""

import socket

import pytest

from common.cluster.master import check_master
from common.utils.errors import UserError


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]"])
def test_threads_of_this_process_need_no_master(master):
    check_master(master)


@pytest.mark.parametrize("master", ["sprak://a:7077", "spark://a", "spark://a:b", "yarn", "k8s://a:1", "local[x]", ""])
def test_an_address_that_is_none(master):
    with pytest.raises(UserError, match=r"--master .* give spark://HOST:PORT"):
        check_master(master)


def test_a_master_that_answers_and_one_that_does_not():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=f"no Spark master answers at spark://127.0.0.1:{port} .* check that it runs"
        ):
            check_master(f"spark://127.0.0.1:{port}")
        taken.listen()
        check_master(f"spark://127.0.0.1:{port}")
        check_master(f"spark://127.0.0.1:1,127.0.0.1:{port}")
