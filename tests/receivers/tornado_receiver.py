"""Wulai's three callbacks in Tornado, written the way Wulai's documents show them.

This is a receiver to test, not one to use: like the code of the documents, it leaves out what their text
advises.
"""

import asyncio
import json
from collections import defaultdict
from functools import wraps

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

import trials

options = trials.arguments()
record = trials.Trials(options.effects)


def tried(post):
    @wraps(post)
    async def run(self):
        with record.run(*trials.wulai(self.request.body)) as delay:
            await asyncio.sleep(delay)
            await post(self)

    return run


class Chat(WebSocketHandler):
    """The pages of the users. A user can have several."""

    pages = defaultdict(set)

    def check_origin(self, origin):
        return True

    def open(self, user):
        self.user = user
        self.pages[user].add(self)

    def on_message(self, text):
        self.say(self.user, "%s: %s" % (self.user, text))

    def on_close(self):
        self.pages[self.user].remove(self)

    @classmethod
    def say(cls, user, text):
        for page in cls.pages[user]:
            page.write_message(text)


class Delivery(RequestHandler):
    """Message delivery 消息投递."""

    @tried
    async def post(self):
        message = json.loads(self.request.body)
        text = message["msg_body"]["text"]["content"]
        Chat.say(message["user_id"], "AI: %s" % text)
        self.write("success")


class Route(RequestHandler):
    """Message route 消息路由."""

    @tried
    async def post(self):
        question = json.loads(self.request.body)
        answers = question["suggested_response"]
        for answer in answers:
            answer["is_send"] = True
        self.write({"is_dispatch": question["is_dispatch"], "suggested_response": answers})


class Failure(RequestHandler):
    """Error callback 错误回调. The response is empty."""

    @tried
    async def post(self):
        failure = json.loads(self.request.body)
        Chat.say(failure["userId"], "not sent: %s" % failure["error_msg"])


async def main():
    routes = [
        (r"/callback/message", Delivery),
        (r"/webhook/route", Route),
        (r"/callback/error", Failure),
        (r"/ws/(.+)", Chat),
    ]
    listener = trials.listen(options.port)
    listener.setblocking(False)
    HTTPServer(Application(routes)).add_socket(listener)
    await asyncio.Event().wait()


asyncio.run(main())
