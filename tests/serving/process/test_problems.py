"""What nobody foresaw is a problem too: told once in the log, with nothing of our insides or of a person."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from serving.process.problems import BodyLimit, add_problems
from tests.serving.world import GOOD, problem


@pytest.fixture
def http() -> httpx.AsyncClient:
    """An application with routes that break."""
    app = FastAPI()
    app.add_middleware(BodyLimit, limit=10)
    add_problems(app)

    @app.get("/broken/{name}")
    async def broken(name: str) -> None:
        raise RuntimeError(f"unforeseen {name} {GOOD}")

    @app.get("/torn")
    async def torn() -> StreamingResponse:
        async def parts():
            yield b"begun"
            raise RuntimeError("later")

        return StreamingResponse(parts())

    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_the_unforeseen_is_a_problem_and_one_entry_of_the_log(http, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with http:
        problem(await http.get(f"/broken/{GOOD}"), 500, "internal_error")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "RuntimeError: unforeseen" in errors[0].getMessage()
    assert "GET /broken/{name} failed" in errors[0].getMessage()
    assert GOOD not in errors[0].getMessage()


async def test_an_answer_that_has_begun_is_broken_off(http) -> None:
    async with http:
        with pytest.raises(RuntimeError, match="later"):
            await http.get("/torn")


async def test_the_limit_of_a_body_holds_before_any_route(http) -> None:
    async with http:
        problem(await http.post("/nowhere", content=b"x" * 11), 413, "body_too_large")
        problem(await http.post("/nowhere", content=b"x" * 10), 404, "no_such_route")
