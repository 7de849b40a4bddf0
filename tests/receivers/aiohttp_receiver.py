"""koipy's three hooks in aiohttp, written the way koipy's documents show them.

This is a receiver to test, not one to use: as in the document, the picture goes out under a status that
refuses the test, and with a wrong type.
"""

import asyncio
import struct
import zlib

from aiohttp import web

import trials

options = trials.arguments()
record = trials.Trials(options.effects)

BANNED = "koipybot"


@web.middleware
async def tried(request, handler):
    with record.run(*trials.koipy(request.path.strip("/"), await request.read())) as delay:
        await asyncio.sleep(delay)
        return await handler(request)


async def on_message(request):
    """A blocklist."""
    data = await request.json()
    if str(data["message"]["from_user"]["username"]).startswith(BANNED):
        return web.Response(status=403, text="You are banned.")
    return web.json_response()


async def on_pre_send(request):
    """Sends a picture."""
    data = await request.json()
    try:
        body = picture(data.get("text", "picture"))
    except Exception as error:
        return web.Response(status=500, text="no picture: %s" % error)
    headers = {"Content-Type": "image/jpeg", "Content-Disposition": 'attachment; filename="a.jpg"'}
    return web.Response(status=403, body=body, headers=headers)


async def on_result(request):
    """Adds a column."""
    data = await request.json()
    result = data["result"]
    result["New"] = ["new"] * len(result["节点名称"])
    return web.json_response(data)


def picture(text):
    """A PNG as wide as the text is long, without the letters, which would need a library."""
    width, height = 8 * max(len(text), 1), 16

    def chunk(name, data):
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\xff" * width) * height
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


app = web.Application(middlewares=[tried])
app.router.add_post("/onMessage", on_message)
app.router.add_post("/onPreSend", on_pre_send)
app.router.add_post("/onResult", on_result)
web.run_app(app, sock=trials.listen(options.port), print=None)
