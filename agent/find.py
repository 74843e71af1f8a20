"""Which Python has JupyterLab, and whether its jupyter_server can be used. Looks at folders only: importing would cost half a second."""
import os
import site
import sys

from .app import AppRefused

NEEDED = "JupyterLab with jupyter_server 2.0 or newer is needed"


def find_jupyter(env):
    """The Python to start JupyterLab with: this one, else the one of `jupyter-lab` on PATH. Raises AppRefused that names what was found."""
    places = search_path(env)
    if has_package(places, "jupyterlab"):
        check_version(installed_version(places, "jupyter_server"), sys.executable)
        return sys.executable
    other = python_of_program("jupyter-lab", env)
    if other is None:
        raise AppRefused("JupyterLab is installed neither for %s nor on PATH; %s" % (sys.executable, NEEDED))
    check_version(ask_version(other, env), other)
    return other


def search_path(env):
    """Where the app's Python will look; ours may have been started with -I, which leaves out PYTHONPATH and the person's own packages."""
    places = [place for place in env.get("PYTHONPATH", "").split(os.pathsep) if place]
    if not env.get("PYTHONNOUSERSITE") and sys.prefix == sys.base_prefix:
        places.append(site.getusersitepackages())
    return places + [place for place in sys.path if place]


def has_package(places, name):
    return any(os.path.isfile(os.path.join(place, name, "__init__.py")) for place in places)


def installed_version(places, name):
    """Version by the first metadata folder on the path, or None."""
    for place in places:
        try:
            entries = sorted(os.listdir(place))
        except OSError:
            continue
        for entry in entries:
            stem, kind = os.path.splitext(entry)
            found, _, version = stem.partition("-")
            if kind in (".dist-info", ".egg-info") and version and found.lower().replace("-", "_").replace(".", "_") == name:
                return version.split("-")[0]
    return None


def check_version(version, python):
    if version is None:
        raise AppRefused("jupyter_server is not installed for %s; %s" % (python, NEEDED))
    major = version.split(".")[0]
    if not major.isdigit() or int(major) < 2:
        raise AppRefused("jupyter_server %s (of %s) is too old: it cannot check who is asking; %s" % (version, python, NEEDED))


def python_of_program(name, env):
    """The interpreter in the first line of a program on PATH, or None."""
    import shutil

    program = shutil.which(name, path=env.get("PATH"))
    if program is None:
        return None
    try:
        with open(program, "rb") as file:
            line = file.readline(256).decode("utf-8", "replace").strip()
    except OSError:
        return None
    python = line[2:].strip() if line.startswith("#!") else ""
    return python if os.path.isabs(python) and os.access(python, os.X_OK) else None


def ask_version(python, env):
    import subprocess

    code = "from importlib.metadata import version; print(version('jupyter_server'))"
    answer = subprocess.run([python, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    return answer.stdout.decode("utf-8", "replace").strip() or None if answer.returncode == 0 else None
