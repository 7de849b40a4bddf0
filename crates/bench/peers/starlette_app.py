"""Starlette with asgi-idempotency-header and its own memory backend, under uvicorn.

The middleware remembers responses in JSON only, so this handler responds in JSON.
"""

import asyncio
import socket

import uvicorn
from idempotency_header_middleware import IdempotencyHeaderMiddleware
from idempotency_header_middleware.backends import MemoryBackend
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from work import Runs, versions

runs = Runs()


async def deliver(request):
    delay = runs.begin(await request.json())
    if delay:
        await asyncio.sleep(delay)
    runs.finish()
    return JSONResponse("success")


async def counts(request):
    return JSONResponse(runs.counts())


async def what(request):
    return PlainTextResponse(
        versions("starlette", "asgi-idempotency-header", "uvicorn", "uvloop", "httptools")
    )


app = Starlette(
    routes=[
        Route("/callback/message", deliver, methods=["POST"]),
        Route("/runs", counts),
        Route("/versions", what),
    ],
    middleware=[Middleware(IdempotencyHeaderMiddleware, backend=MemoryBackend())],
)

listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print(listener.getsockname()[1], flush=True)
# Logs no line for each request, which would take time.
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
