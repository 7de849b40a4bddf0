"""A receiver in Tornado, written the way Wulai's documents show it. It knows no ids."""

import asyncio
import json

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from work import Runs, versions

runs = Runs()


class Delivery(RequestHandler):
    async def post(self):
        delay = runs.begin(json.loads(self.request.body))
        if delay:
            await asyncio.sleep(delay)
        runs.finish()
        self.write("success")


class Counts(RequestHandler):
    def get(self):
        self.write(runs.counts())


class Versions(RequestHandler):
    def get(self):
        self.write(versions("tornado"))


async def main():
    routes = [(r"/callback/message", Delivery), (r"/runs", Counts), (r"/versions", Versions)]
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application(routes)).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
