"""Loaded by jupyter_server from the directory on JUPYTER_CONFIG_PATH: who asks is told by the gateway, on a private unix socket."""
import hmac
import os
import sys
from urllib.parse import unquote
from jupyter_server.auth import IdentityProvider, Authorizer, User

c = get_config()  # noqa: F821

_P = os.environ["LINKSPAN_PRIVATE"]                 # short private directory, 0700
with open(os.path.join(_P, "secret")) as f:      # 0600
    _SECRET = f.read().strip().encode()


class GatewayIdentity(IdentityProvider):
    """Trusts the gateway on the unix socket, nobody else."""

    token = ""                                   # no token anywhere

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
        h = handler.request.headers
        got = h.get_list("X-Linkspan-Secret")
        if len(got) != 1 or not hmac.compare_digest(got[0].encode(), _SECRET):
            return None
        name = unquote(h.get("X-Linkspan-Name", "")) or "someone"
        uid = h.get("X-Linkspan-User", "") or name
        u = User(username=uid, name=name, display_name=name,
                 initials="".join(w[0] for w in name.split()[:2]).upper(),
                 color=h.get("X-Linkspan-Color") or None)
        # Owner and control may edit; a doubled or unknown role fails closed.
        u.role = "editor" if h.get("X-Linkspan-Role") in ("owner", "control") else "viewer"
        return u

    def get_handlers(self):
        return []

    def validate_security(self, app, ssl_options=None):
        pass


class RoleAuthorizer(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        if getattr(user, "role", "viewer") == "editor":
            return True
        if action == "read":
            # settings of other people's browser and the plain metrics page stay readable
            return True
        # Lab with jupyter-collaboration asks for a room id with PUT before it can show a document
        return (action == "write" and resource == "contents"
                and handler.request.method == "PUT"
                and handler.request.path.startswith("/api/collaboration/session/"))


c.ServerApp.identity_provider_class = GatewayIdentity
c.ServerApp.authorizer_class = RoleAuthorizer
c.ServerApp.allow_unauthenticated_access = False

c.ServerApp.base_url = "/"
c.ServerApp.open_browser = False
c.ServerApp.quit_button = False
c.ServerApp.allow_remote_access = True
c.ServerApp.sock_mode = "0600"
c.ServerApp.allow_root = os.geteuid() == 0       # uid 0 inside a container or in CI

c.KernelManager.transport = "ipc"

# --- private state -------------------------------------------------------
c.ServerApp.cookie_secret_file = os.path.join(_P, "r", "cookie_secret")
c.SQLiteYStore.db_path = os.path.join(_P, "d", "ystore.db")
c.YDocExtension.session_store_path = os.path.join(_P, "d", "collab_sessions.json")
c.BaseFileIdManager.db_path = os.path.join(_P, "d", "file_id.db")
c.BaseFileIdManager.db_journal_mode = "DELETE"
c.NotebookNotary.db_file = os.path.join(_P, "d", "nbsignatures.db")
c.NotebookNotary.secret_file = os.path.join(_P, "d", "notebook_secret")
c.LabApp.workspaces_dir = os.path.join(_P, "d", "workspaces")

# --- Lab -----------------------------------------------------------------
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extra_labextensions_path = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "labextensions")]

# --- no TCP listener in ipykernel -----------------------------------------
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
c.AsyncMappingKernelManager.kernel_manager_class = "linkspan_kernels.QuietKernelManager"

# --- collaboration room: Origin check, and viewers may listen only ---------
try:
    from jupyter_server.base.websocket import WebSocketMixin
    from jupyter_server_ydoc.handlers import YDocWebSocketHandler as _Room

    def _room_origin(self, origin=None):
        return WebSocketMixin.check_origin(self, origin)

    _room_message = _Room.on_message

    async def _room_filter(self, message):
        if getattr(self.current_user, "role", "viewer") != "editor":
            b = bytes(message[:2]) if isinstance(message, (bytes, bytearray)) else b""
            # 0,0 = "send me the document"; 1 = presence. All else (0,1 / 0,2 edits, 2 save) is dropped.
            if not (b == b"\x00\x00" or b[:1] == b"\x01"):
                return
        await _room_message(self, message)

    _Room.check_origin = _room_origin
    _Room.on_message = _room_filter
except ImportError:
    pass
