"""What to run: JupyterLab with our configuration tree, or any argv with `{socket}`."""
import base64
import json
import os
import zlib

from .app import AppRefused
from .find import find_jupyter

TREE = ""  # base64(zlib(JSON {path: text})) of agent/jupyter; filled in by the build
LEAVE_OUT = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_CONFIG_DIR", "JUPYTER_NO_CONFIG", "JUPYTERHUB_API_TOKEN")


def read_app(text):
    """LINKSPAN_APP as a checked dictionary. Raises AppRefused."""
    try:
        app = json.loads(text or '{"kind": "jupyterlab"}')
    except ValueError:
        raise AppRefused("LINKSPAN_APP is not JSON")
    if not isinstance(app, dict) or app.get("kind") not in ("jupyterlab", "argv"):
        raise AppRefused("LINKSPAN_APP names no kind of app that this agent knows (jupyterlab, argv)")
    argv = app.get("argv")
    if app["kind"] == "argv" and not (isinstance(argv, list) and argv and all(isinstance(part, str) for part in argv)):
        raise AppRefused("LINKSPAN_APP: argv must be a list of at least one string")
    return app


def make_plan(app, private, env, secret):
    """The plan of an app (see App). `env` is the cleared environment. Raises AppRefused."""
    root = app.get("rootDir") or os.path.expanduser("~")
    if not os.path.isdir(root):
        raise AppRefused("the working directory %s does not exist" % root)
    socket_path = os.path.join(private, "j.sock")
    if app["kind"] == "argv":
        argv = [part.replace("{socket}", socket_path) for part in app["argv"]]
        return {"argv": argv, "env": dict(env), "cwd": root, "ready_path": app.get("readyPath") or "/", "headers": []}
    return jupyter_plan(app, root, private, env, secret, socket_path)


def jupyter_plan(app, root, private, env, secret, socket_path):
    python = find_jupyter(env)
    conf = os.path.join(private, "c")
    unpack(conf)
    for name in ("r", "d", "d/workspaces"):
        os.mkdir(os.path.join(private, name), 0o700)
    with open(os.open(os.path.join(private, "secret"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
    env = {name: value for name, value in env.items() if name not in LEAVE_OUT}
    env["LINKSPAN_PRIVATE"] = private
    env["JUPYTER_RUNTIME_DIR"] = os.path.join(private, "r")
    env["JUPYTER_CONFIG_PATH"] = os.pathsep.join([conf] + [path for path in [env.get("JUPYTER_CONFIG_PATH")] if path])
    argv = [python, os.path.join(conf, "linkspan_lab.py"), "--no-browser", "--ServerApp.sock=" + socket_path, "--ServerApp.root_dir=" + root]
    if app.get("defaultUrl"):
        argv.append("--ServerApp.default_url=" + app["defaultUrl"])
    # Not in the person's folder: a jupyter_server_config.py there would outrank ours.
    return {"argv": argv, "env": env, "cwd": private, "ready_path": "/api", "headers": ["X-Linkspan-Secret: " + secret]}


def unpack(target):
    """Writes the configuration tree, 0700 and 0600."""
    for path, text in sorted(tree().items()):
        at = os.path.join(target, path)
        os.makedirs(os.path.dirname(at), mode=0o700, exist_ok=True)
        with open(os.open(at, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)


def tree():
    if TREE:
        return json.loads(zlib.decompress(base64.b64decode(TREE)).decode("utf-8"))
    files = {}
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jupyter")
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                files[os.path.relpath(path, top)] = file.read()
    return files
