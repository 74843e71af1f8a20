"""Starts JupyterLab. Leaves out two things that cost more than a second before the first answer and serve nothing here."""
import sys

sys.path.pop(0)  # this file's folder: nothing here may shadow a module of the image


def put_off_iri_grammar():
    """jsonschema builds a whole grammar of RFC 3987 when it is imported; it is now built at the first check of an IRI."""
    import importlib.util
    import types

    name = "rfc3987_syntax"
    if importlib.util.find_spec(name) is None:
        return
    stub = types.ModuleType(name)

    def is_valid_syntax(rule, text):
        if sys.modules.get(name) is stub:
            del sys.modules[name]
        return importlib.import_module(name).is_valid_syntax(rule, text)

    stub.is_valid_syntax = is_valid_syntax
    sys.modules[name] = stub


def leave_yarn_alone():
    """JupyterLab asks node for yarn's configuration at import, for building extensions; the extension manager is read-only."""
    from jupyterlab import commands

    if hasattr(commands, "_yarn_config"):
        commands._yarn_config = lambda logger: {"yarn config": {}, "npm config": {}}


put_off_iri_grammar()
try:
    leave_yarn_alone()
except ImportError:
    pass

from jupyterlab.labapp import main  # noqa: E402

sys.argv[0] = "jupyter-lab"
sys.exit(main())
