"""A receiver in Flask under waitress, one of the servers that its documents advise. It knows no ids."""

import time

from flask import Flask, request
from waitress import create_server

from work import Runs, versions

runs = Runs()
app = Flask(__name__)


@app.post("/callback/message")
def deliver():
    delay = runs.begin(request.get_json())
    if delay:
        time.sleep(delay)
    runs.finish()
    return "success"


@app.get("/runs")
def counts():
    return runs.counts()


@app.get("/versions")
def what():
    return versions("flask", "waitress")


server = create_server(app, host="127.0.0.1", port=0)
print(server.effective_port, flush=True)
server.run()
