"""A port, instructions and a record of what ran, for the receivers under test.

Nothing here makes a handler better. Like `src/trials.rs` of wulai-chat, it stands around the handler,
where it sees what runs. The docs of `crates/sim` describe the lines and the instructions.
"""

import argparse
import json
import re
import socket
import threading
import time
from contextlib import contextmanager


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port and prints it")
    parser.add_argument("--effects", required=True, metavar="FILE")
    return parser.parse_args()


def listen(port):
    """A listening socket on this machine. Prints its address as the first line."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    return listener


class Trials:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.failed = set()

    @contextmanager
    def run(self, effect, text):
        """Records one run of a handler. Gives the seconds that it should take, or fails if asked to."""
        effect = dict(effect, start=now(), outcome="failed")
        try:
            if text in ("#sim fail once", "#sim panic once") and self.is_first_failure(effect["id"]):
                raise RuntimeError("a message asked for it")
            yield seconds(text)
            effect["outcome"] = "ok"
        finally:
            effect["end"] = now()
            self.write(effect)

    def is_first_failure(self, event):
        with self.lock:
            is_first = event not in self.failed
            self.failed.add(event)
            return is_first

    def write(self, effect):
        with self.lock:
            self.file.write(json.dumps(effect) + "\n")
            self.file.flush()


def wulai(body):
    """Who one of Wulai's callbacks is, in either spelling, and its text."""
    callback = document(body)

    def field(*names):
        values = (callback.get(name) for name in names)
        return next((str(value) for value in values if value is not None), None)

    sent_at = field("msg_ts", "msgTs") or ""
    effect = {
        "id": field("msg_id", "msgId", "source_msg_id"),
        "conversation": field("user_id", "userId"),
        "sent_at": int(sent_at) if re.fullmatch("[0-9]{1,16}", sent_at) else None,
    }
    return effect, at(callback, "msg_body", "text", "content")


def koipy(hook, body):
    """Who one of koipy's callbacks is, and the text of its message."""
    message = at(document(body), "message")
    chat = at(message, "chat", "id")
    event = "%s/%s" % (chat, at(message, "id"))
    effect = {"callback": "koipy." + hook, "id": event, "conversation": str(chat)}
    return effect, at(message, "text")


def document(body):
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def at(value, *path):
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def seconds(text):
    slow = re.fullmatch(r"#sim slow ([0-9]{1,5})(ms|s)", text if isinstance(text, str) else "")
    if slow is None:
        return 0
    return min(int(slow[1]) / (1000 if slow[2] == "ms" else 1), 10)


def now():
    return time.time_ns() // 1_000_000
