"""A callback server of the kind that koipy's users write, with aiohttp; its mistakes are meant.

    pip install aiohttp pillow
    python server.py PORT
"""

import io
import sys

from aiohttp import web
from PIL import Image, ImageDraw


async def on_message(request):
    payload = await request.json()
    if str(payload["message"]["from_user"]["username"]).startswith("koipybot"):
        return web.Response(status=403, text="你已被拉黑！")
    # No document: an empty body under application/json.
    return web.json_response()


async def on_pre_send(request):
    await request.json()
    picture = Image.new("RGB", (120, 40), "white")
    ImageDraw.Draw(picture).rectangle([4, 4, 115, 35], outline="blue", width=2)
    png = io.BytesIO()
    picture.save(png, format="png")
    # A PNG, labelled as a JPEG, under a status that refuses the task.
    headers = {"Content-Type": "image/jpeg", "Content-Disposition": 'attachment; filename="test.jpg"'}
    return web.Response(body=png.getvalue(), headers=headers, status=403)


async def on_result(request):
    payload = await request.json()
    rows = len(payload["result"]["节点名称"])
    payload["result"]["NewKey"] = [f"新增 {row}" for row in range(rows)]
    # The whole document, configuration and all.
    return web.json_response(payload)


async def text(request):
    # As koipy's document has it.
    return web.Response(body="提示".encode(), headers={"Content-Type": "plain/text"})


async def nothing(request):
    # aiohttp labels it application/octet-stream.
    return web.Response()


app = web.Application()
app.router.add_post("/onMessage", on_message)
app.router.add_post("/onPreSend", on_pre_send)
app.router.add_post("/onResult", on_result)
app.router.add_post("/text", text)
app.router.add_post("/nothing", nothing)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
