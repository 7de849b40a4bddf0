"""The work of each handler, and how often it ran. `src/peers/served.rs` does the same in Rust."""

import platform
import threading
from importlib.metadata import version

SLOW = 0.2


class Runs:
    def __init__(self):
        self.lock = threading.Lock()
        self.begun = self.finished = 0
        self.failed = set()

    def begin(self, message):
        """Counts a run. Gives the seconds that it should take; fails the first run if the message asks for it."""
        text = message["msg_body"]["text"]["content"]
        with self.lock:
            self.begun += 1
            if text == "#fail" and message["msg_id"] not in self.failed:
                self.failed.add(message["msg_id"])
                raise RuntimeError("the message asked for it")
        return SLOW if text == "#slow" else 0

    def finish(self):
        with self.lock:
            self.finished += 1

    def counts(self):
        return {"begun": self.begun, "finished": self.finished}


def versions(*packages):
    parts = ["%s %s" % (package, version(package)) for package in packages]
    return ", ".join([*parts, "Python %s" % platform.python_version()])
