"""Connects to the portal: directly or through a CONNECT proxy with Basic auth, plain or TLS with a custom CA."""
import asyncio
import base64
import ipaddress
import socket
from urllib.parse import unquote, urlsplit


class Portal:
    """Where the portal is and how to get there. `settings` is the agent's environment, read once."""

    def __init__(self, url, settings):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("LINKSPAN_URL: '%s' is no http or https address" % url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        shown = "[%s]" % self.host if ":" in self.host else self.host
        self.authority = shown if parts.port is None else "%s:%d" % (shown, parts.port)
        self.prefix = parts.path.rstrip("/")
        self.proxy = choose_proxy(self.secure, self.host, self.port, settings)
        self.ca = settings.get("LINKSPAN_CA") or settings.get("SSL_CERT_FILE")

    async def connect(self, make_protocol):
        """A connected (transport, protocol). Raises OSError with what failed."""
        loop = asyncio.get_running_loop()
        if self.proxy is None:
            context = self.context() if self.secure else None
            name = self.host if self.secure else None
            made = await loop.create_connection(make_protocol, self.host, self.port, ssl=context, server_hostname=name)
            no_delay(made[0])
            return made
        host, port, credentials = self.proxy
        transport, tunnel = await loop.create_connection(lambda: Connect(self.host, self.port, credentials), host, port)
        no_delay(transport)
        try:
            await tunnel.ready
            protocol = make_protocol()
            if self.secure:
                transport = await loop.start_tls(transport, protocol, self.context(), server_hostname=self.host)
            else:
                transport.set_protocol(protocol)
        except BaseException:
            transport.abort()
            raise
        protocol.connection_made(transport)
        return transport, protocol

    def context(self):
        import ssl

        return ssl.create_default_context(cafile=self.ca)


class Connect(asyncio.Protocol):
    """The CONNECT request to a proxy (RFC 9110 9.3.6)."""

    def __init__(self, host, port, credentials):
        shown = "[%s]" % host if ":" in host else host
        lines = ["CONNECT %s:%d HTTP/1.1" % (shown, port), "Host: %s:%d" % (shown, port)]
        if credentials:
            lines.append("Proxy-Authorization: Basic " + base64.b64encode(credentials.encode()).decode())
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.ready = asyncio.get_running_loop().create_future()
        self.answer = bytearray()

    def connection_made(self, transport):
        transport.write(self.request)

    def data_received(self, data):
        self.answer += data
        if b"\r\n\r\n" not in self.answer or self.ready.done():
            return
        status = bytes(self.answer.split(b"\r\n")[0]).decode("latin-1")
        if len(status.split(" ")) > 1 and status.split(" ")[1] == "200":
            self.ready.set_result(None)
        else:
            self.ready.set_exception(OSError("the proxy refused the connection: " + status))

    def connection_lost(self, exc):
        if not self.ready.done():
            self.ready.set_exception(OSError("the proxy ended the connection"))


def choose_proxy(secure, host, port, settings):
    """(host, port, credentials) of the proxy for an address, or None. Loopback never goes through one."""
    if is_loopback(host):
        return None
    names = ("HTTPS_PROXY", "https_proxy") if secure else ("HTTP_PROXY", "http_proxy")
    value = next((settings[name] for name in names if settings.get(name)), None)
    if not value or excepted(host, port, settings.get("NO_PROXY") or settings.get("no_proxy") or ""):
        return None
    parts = urlsplit(value if "://" in value else "http://" + value)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("%s: '%s' is no http proxy" % (names[0], parts.hostname or value.split("@")[-1]))
    credentials = None
    if parts.username is not None:
        credentials = "%s:%s" % (unquote(parts.username), unquote(parts.password or ""))
    return parts.hostname, parts.port or 3128, credentials


def excepted(host, port, no_proxy):
    """Whether NO_PROXY names the host: names with their subdomains, addresses, ranges, `*`, each optionally with a port."""
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if not entry:
            continue
        if entry == "*":
            return True
        name, _, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if wanted and wanted != str(port):
            continue
        if "/" in name:
            try:
                if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                    return True
            except ValueError:
                pass
            continue
        name = name.lstrip("*").lstrip(".")
        if host.lower() == name or host.lower().endswith("." + name):
            return True
    return False


def is_loopback(host):
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def no_delay(transport):
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
