import asyncio
import threading

import pytest

from common.serving.http.problems import Problem
from common.serving.http.work_pool import WorkPool


def run(coroutine):
    return asyncio.run(coroutine)


def test_work_is_done_in_another_thread():
    pool = WorkPool(1, 0, 5.0)
    assert run(pool.run(threading.get_ident)) != threading.get_ident()
    pool.close()


def test_too_much_is_refused_and_too_slow_is_given_up():
    pool, go = WorkPool(1, 1, 0.05), threading.Event()

    async def asked():
        return await asyncio.gather(*(pool.run(go.wait, 5) for _ in range(3)), return_exceptions=True)

    first, second, third = run(asked())
    assert all(isinstance(one, Problem) and one.status == 503 for one in (first, second, third))
    assert "no answer within 0.05 seconds" in str(first)
    assert "2 requests are waiting" in str(third)
    go.set()
    pool.close()


def test_a_thread_is_free_again_once_it_is_done():
    pool = WorkPool(1, 0, 5.0)

    async def twice():
        found = [await pool.run(int, text) for text in ("1", "2")]
        with pytest.raises(ValueError, match="invalid literal"):
            await pool.run(int, "x")
        await asyncio.sleep(0)
        return found, pool.pending

    assert run(twice()) == ([1, 2], 0)
    pool.close()
