"""Starts PyPI's canaille, as it is, with a client's token and a user. Ends when its standard input does.

The argument is JSON: port, folder (for its database), token, login (of the user).
"""

import datetime
import json
import os
import sys
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
settings = json.loads(sys.argv[1])
address = f"127.0.0.1:{settings['port']}"

from canaille import create_app  # noqa: E402
from canaille.app import models  # noqa: E402
from canaille.app.installation import install  # noqa: E402
from canaille.backends import Backend  # noqa: E402

app = create_app(
    config={
        "SECRET_KEY": "of the tests",
        "SERVER_NAME": address,
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "sql", "LOGGING": {"version": 1}, "JAVASCRIPT": False},
        "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{settings['folder']}/canaille.sqlite"},
        "CANAILLE_OIDC": {},
        "CANAILLE_SCIM": {"ENABLE_SERVER": True},
    }
)
with app.app_context():
    install(app)
with app.app_context():
    backend = Backend.instance
    with backend.session():
        now = datetime.datetime.now(datetime.timezone.utc)
        client = models.Client(client_id="behalf", client_name="behalf", client_id_issued_at=now)
        backend.save(client)
        token = models.Token(
            token_id="token",
            access_token=settings["token"],
            subject=None,
            audience=[client],
            client=client,
            scope=["openid"],
            issue_date=now,
            lifetime=3600,
        )
        backend.save(token)
        backend.save(models.User(user_name=settings["login"], given_name="Ann", family_name="Bee", emails=["ann@example.com"]))


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


with make_server("127.0.0.1", settings["port"], app, server_class=Server) as server:
    print(f"Serving SCIM on http://{address}/scim/v2", flush=True)
    server.serve_forever()
