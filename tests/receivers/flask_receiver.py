"""A Dialogflow webhook in Flask, as tutorials show it: one function prints the request and responds.

Wulai accepts any 200 for a delivery, so its callbacks can go there. A message route needs a response of
another form, and gets this one.
"""

import time
from functools import wraps

from flask import Flask, request
from werkzeug.serving import make_server

import trials

options = trials.arguments()
record = trials.Trials(options.effects)
app = Flask(__name__)


def tried(view):
    @wraps(view)
    def run():
        with record.run(*trials.wulai(request.get_data())) as delay:
            time.sleep(delay)
            return view()

    return run


@app.route("/callback/message", methods=["POST"])
@app.route("/webhook/route", methods=["POST"])
@app.route("/callback/error", methods=["POST"])
@tried
def webhook():
    print("received", request.json)
    return {"fulfillmentText": "Hello from the webhook."}


listener = trials.listen(options.port)
# The server that `app.run` starts, on our own socket.
server = make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno())
server.serve_forever()
