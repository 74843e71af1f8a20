# Read by jupyter_server from the directory that JUPYTER_CONFIG_PATH names: who may speak to this server, and where its state lies.
import hmac
import os
import sys
from urllib.parse import unquote

from jupyter_server.auth import Authorizer, IdentityProvider, User

c = get_config()  # noqa: F821

_HERE = os.path.dirname(os.path.abspath(__file__))
_PRIVATE = os.environ["LINKSPAN_PRIVATE"]  # short private directory, 0700
with open(os.path.join(_PRIVATE, "secret")) as _file:  # 0600
    _SECRET = _file.read().strip().encode()


class GatewayIdentity(IdentityProvider):
    """Trusts the gateway on the unix socket, nobody else."""

    token = ""  # no token anywhere

    @property
    def auth_enabled(self):
        return True

    @property
    def login_available(self):
        return False

    @property
    def logout_available(self):
        return False

    def get_user(self, handler):
        headers = handler.request.headers
        given = headers.get_list("X-Linkspan-Secret")
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), _SECRET):
            return None
        name = unquote(headers.get("X-Linkspan-Name", "")) or "someone"
        user = User(
            username=headers.get("X-Linkspan-User", "") or name,
            name=name,
            display_name=name,
            initials="".join(word[0] for word in name.split()[:2]).upper(),
            color=headers.get("X-Linkspan-Color") or None,
        )
        # A header that was sent twice arrives joined by a comma and is neither: viewer.
        user.role = "editor" if headers.get("X-Linkspan-Role") in ("owner", "control") else "viewer"
        return user

    def get_handlers(self):
        return []

    def validate_security(self, app, ssl_options=None):
        pass


class RoleAuthorizer(Authorizer):
    """Editors may do everything, viewers may read. Synchronous: jupyter_server 2.0 awaits nothing here."""

    def is_authorized(self, handler, user, action, resource):
        if getattr(user, "role", "viewer") == "editor" or action == "read":
            return True
        # Lab with jupyter-collaboration asks for a room id with PUT before it can show a document.
        return (
            action == "write"
            and resource == "contents"
            and handler.request.method == "PUT"
            and handler.request.path.startswith("/api/collaboration/session/")
        )


c.ServerApp.identity_provider_class = GatewayIdentity
c.ServerApp.authorizer_class = RoleAuthorizer
c.ServerApp.allow_unauthenticated_access = False

c.ServerApp.base_url = "/"
c.ServerApp.open_browser = False
c.ServerApp.quit_button = False
c.ServerApp.allow_remote_access = True
c.ServerApp.sock_mode = "0600"
c.ServerApp.allow_root = os.geteuid() == 0  # uid 0 inside a container
# A person's own ~/.jupyter may ask for TLS, which nobody speaks on the socket.
c.ServerApp.certfile = ""
c.ServerApp.keyfile = ""
c.ServerApp.client_ca = ""
# Addresses of the classic notebook: nothing here asks for them, and they cost start time.
c.ServerApp.jpserver_extensions = {"notebook_shim": False}

c.KernelManager.transport = "ipc"
# Lab shows a kernel that it found again as "unknown" as long as the answer to kernel_info_request counts for nothing:
# the default without that pair.
c.MappingKernelManager.untracked_message_types = [
    "comm_info_request", "comm_info_reply", "shutdown_request", "shutdown_reply", "interrupt_request", "interrupt_reply",
    "debug_request", "debug_reply", "stream", "display_data", "update_display_data", "execute_input", "execute_result",
    "error", "status", "clear_output", "debug_event", "input_request", "input_reply",
]


# --- all state in the private directory; only the person's settings stay in their home -------------------------------
def _state(name):
    return os.path.join(_PRIVATE, "d", name)


c.ServerApp.cookie_secret_file = os.path.join(_PRIVATE, "r", "cookie_secret")
c.SQLiteYStore.db_path = _state("ystore.db")
c.YDocExtension.session_store_path = _state("collab_sessions.json")
c.BaseFileIdManager.db_path = _state("file_id.db")
c.BaseFileIdManager.db_journal_mode = "DELETE"
c.NotebookNotary.db_file = _state("nbsignatures.db")
c.NotebookNotary.secret_file = _state("notebook_secret")
c.LabApp.workspaces_dir = _state("workspaces")

# --- Lab -------------------------------------------------------------------------------------------------------------
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extra_labextensions_path = [os.path.join(_HERE, "labextensions")]

# --- no TCP listener in ipykernel ------------------------------------------------------------------------------------
sys.path.append(_HERE)
c.AsyncMappingKernelManager.kernel_manager_class = "linkspan_kernels.QuietKernelManager"

# --- collaboration room: Origin check, and viewers may listen only ---------------------------------------------------
try:
    from jupyter_server.base.websocket import WebSocketMixin
    from jupyter_server_ydoc.handlers import YDocWebSocketHandler as _Room

    def _room_origin(self, origin=None):
        return WebSocketMixin.check_origin(self, origin)

    _room_message = _Room.on_message

    async def _room_filter(self, message):
        if getattr(self.current_user, "role", "viewer") != "editor":
            head = bytes(message[:2]) if isinstance(message, (bytes, bytearray)) else b""
            # 0,0 = "send me the document"; 1 = presence. All else (0,1 and 0,2 = edits, 2 = save) is dropped.
            if not (head == b"\x00\x00" or head[:1] == b"\x01"):
                return
        await _room_message(self, message)

    _Room.check_origin = _room_origin
    _Room.on_message = _room_filter
except ImportError:
    pass
