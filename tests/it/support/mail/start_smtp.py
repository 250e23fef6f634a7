"""Starts PyPI's aiosmtpd, as it is, and verifies webhooks with the reference library. Ends when its standard input does.

The argument is JSON: tls (none, starttls, implicit), cert and key (paths), user and password (if it wants them),
refuse (answers to RCPT, one after the other; then 250). Each message it takes is a line of JSON on standard output. Each
line of JSON on standard input {secret, body, headers} is answered there with {verified: true or false}.
"""

import json
import os
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from standardwebhooks import Webhook, WebhookVerificationError

settings = json.loads(sys.argv[1])
refusals = list(settings.get("refuse", []))


def say(line):
    print(json.dumps(line), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if refusals:
            return refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode("utf-8"),
            "tls": session.ssl is not None,
            "authenticated": bool(session.authenticated),
        })
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    login = getattr(data, "login", b"").decode()
    password = getattr(data, "password", b"").decode()
    # Not handled: the server itself says no.
    return AuthResult(success=(login, password) == (settings["user"], settings["password"]), handled=False)


options = {}
context = None
if settings["tls"] != "none":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["cert"], settings["key"])
if settings["tls"] == "implicit":
    options["ssl_context"] = context
if settings["tls"] == "starttls":
    options.update(tls_context=context, require_starttls=True)
if settings.get("user"):
    # aiosmtpd takes only STARTTLS for TLS.
    options.update(authenticator=authenticate, auth_required=True, auth_require_tls=settings["tls"] == "starttls")

controller = Controller(Handler(), hostname="127.0.0.1", port=settings["port"], **options)
controller.start()
print("Serving SMTP", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        Webhook(asked["secret"]).verify(asked["body"], asked["headers"])
        say({"verified": True})
    except WebhookVerificationError as error:
        say({"verified": False, "why": str(error)})
os._exit(0)
