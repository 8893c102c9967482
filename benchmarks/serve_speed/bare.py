"""`python -m benchmarks.serve_speed.bare FILE`: a route with nothing around it that returns the bytes of a file."""

import sys
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response

from common.serving.http.server import bind, serve


def bare_app(answer: bytes) -> FastAPI:
    """An application with the one route /bare."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/bare")
    async def bare() -> Response:
        return Response(answer, media_type="application/json")

    return app


def main() -> None:
    """Listen on any free port and print it."""
    with bind("127.0.0.1", 0) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        serve(bare_app(Path(sys.argv[1]).read_bytes()), listening, 5)


if __name__ == "__main__":
    main()
