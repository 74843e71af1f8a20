"""What to run: JupyterLab with our configuration tree, or any argv with `{socket}`."""
import base64
import json
import os
import secrets
import sys
import zlib

from .app import AppRefused

TREE = ""  # base64(zlib(JSON {path: text})) of agent/jupyter; filled in by the build


def make_plan(settings, private, env):
    """(plan, kind, secret) of LINKSPAN_APP. `env` is the cleared environment for the app."""
    try:
        app = json.loads(settings.get("LINKSPAN_APP") or '{"kind": "jupyterlab"}')
    except ValueError:
        raise AppRefused("LINKSPAN_APP is not JSON")
    secret = secrets.token_urlsafe(32)
    socket_path = os.path.join(private, "j.sock")
    if app.get("kind") == "argv":
        argv = [part.replace("{socket}", socket_path) for part in app.get("argv") or []]
        if not argv:
            raise AppRefused("LINKSPAN_APP: argv is empty")
        return {"argv": argv, "env": env, "cwd": work_directory(app), "ready_path": app.get("readyPath") or "/", "headers": []}, "argv", secret
    return jupyter_plan(app, private, env, secret, socket_path), "jupyterlab", secret


def jupyter_plan(app, private, env, secret, socket_path):
    check_jupyter()
    unpack(os.path.join(private, "conf"))
    for name in ("r", "d", "d/workspaces"):
        os.mkdir(os.path.join(private, name), 0o700)
    with open(os.open(os.path.join(private, "secret"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
    env = dict(env)
    env["LINKSPAN_PRIVATE"] = private
    env["JUPYTER_RUNTIME_DIR"] = os.path.join(private, "r")
    env["JUPYTER_CONFIG_PATH"] = os.path.join(private, "conf")
    env["JUPYTER_PREFER_ENV_PATH"] = "1"
    env.pop("JUPYTER_TOKEN", None)
    env.pop("JUPYTER_TOKEN_FILE", None)
    root = work_directory(app)
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.sock=" + socket_path, "--ServerApp.root_dir=" + root]
    if app.get("defaultUrl"):
        argv.append("--ServerApp.default_url=" + app["defaultUrl"])
    headers = ["X-Linkspan-Secret: " + secret, "X-Linkspan-Role: owner", "X-Linkspan-User: linkspan", "X-Linkspan-Name: linkspan"]
    return {"argv": argv, "env": env, "cwd": root, "ready_path": "/api", "headers": headers}


def work_directory(app):
    root = app.get("rootDir") or os.path.expanduser("~")
    if not os.path.isdir(root):
        raise AppRefused("the working directory %s does not exist" % root)
    return root


def check_jupyter():
    """Refuses by name what cannot work; looks at metadata only, importing would cost half a second."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:
        raise AppRefused("Python %d.%d is too old, 3.8 is needed" % sys.version_info[:2])
    try:
        found = version("jupyter_server")
    except PackageNotFoundError:
        raise AppRefused("jupyter_server is not installed for %s; JupyterLab with jupyter_server 2.0 or newer is needed" % sys.executable)
    if int(found.split(".")[0]) < 2:
        raise AppRefused("jupyter_server %s is too old: 2.0 or newer is needed, earlier ones cannot check who is asking" % found)
    try:
        version("jupyterlab")
    except PackageNotFoundError:
        raise AppRefused("jupyterlab is not installed for %s" % sys.executable)


def unpack(target):
    if TREE:
        files = json.loads(zlib.decompress(base64.b64decode(TREE)).decode("utf-8"))
    else:
        files = {}
        top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jupyter")
        for folder, _folders, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, top)] = file.read()
    for path, text in files.items():
        at = os.path.join(target, path)
        os.makedirs(os.path.dirname(at), mode=0o700, exist_ok=True)
        with open(at, "w", encoding="utf-8") as file:
            file.write(text)
