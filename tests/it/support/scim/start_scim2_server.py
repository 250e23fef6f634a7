"""Starts PyPI's scim2-server, as it is, with the extension for grants. Ends when its standard input does.

The argument is JSON: port, folder (for files), token, extension (of a schema), supported (of the service provider
config, name to boolean).
"""

import json
import os
import sys
import threading
from wsgiref.simple_server import WSGIServer

from scim2_server.testserver import cli
from scim2_server.utils import load_default_resource_types, load_default_schemas, load_json_resource


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
settings = json.loads(sys.argv[1])
# Its five places for new connections are too few for a test with many at once.
WSGIServer.request_queue_size = 128


def file(name, content):
    path = os.path.join(settings["folder"], name)
    with open(path, "w") as out:
        json.dump(content, out)
    return path


schemas = [schema.model_dump() for schema in load_default_schemas().values()]
types = [kind.model_dump() for kind in load_default_resource_types().values()]
schemas.append(settings["extension"])
for kind in types:
    if kind["name"] == "User":
        kind["schemaExtensions"].append({"schema": settings["extension"]["id"], "required": False})
config = load_json_resource("default-service-provider-config.json")
for name, supported in settings["supported"].items():
    config[name]["supported"] = supported

sys.argv[1:] = ["--port", str(settings["port"]), "--bearer-token", settings["token"]]
sys.argv += ["--schema", file("schemas.json", schemas), "--resource-type", file("types.json", types)]
sys.argv += ["--service-provider-config", file("config.json", config)]
cli.main()
