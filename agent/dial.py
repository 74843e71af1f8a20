"""Connects to the portal: directly or through a CONNECT proxy with Basic auth, plain or TLS with a custom CA."""
import asyncio
import base64
import os
import socket
from urllib.parse import unquote, urlsplit

from .http1 import parse_head, quiet_future


class Portal:
    """Where the portal is and how to get there. `settings` is the agent's environment, read once. Raises ValueError."""

    def __init__(self, url, settings):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("LINKSPAN_URL: '%s' is no http or https address" % url)
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.authority = bracket(self.host) if parts.port is None else "%s:%d" % (bracket(self.host), parts.port)
        self.prefix = parts.path.rstrip("/")
        self.proxy = choose_proxy(self.secure, self.host, self.port, settings)
        self.ca = settings.get("LINKSPAN_CA") or settings.get("SSL_CERT_FILE")
        if self.secure and self.ca and not os.path.isfile(self.ca):
            raise ValueError("the file of certificate authorities %s does not exist" % self.ca)
        self.tls = None

    async def connect(self, make_protocol):
        """A connected (transport, protocol). Raises OSError with what failed."""
        loop = asyncio.get_running_loop()
        if self.proxy is None:
            context, name = (self.context(), self.host) if self.secure else (None, None)
            made = await loop.create_connection(
                make_protocol, self.host, self.port, ssl=context, server_hostname=name, happy_eyeballs_delay=0.25
            )
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
        if self.tls is None:
            import ssl

            self.tls = ssl.create_default_context(cafile=self.ca)
        return self.tls


class Connect(asyncio.Protocol):
    """The CONNECT request to a proxy (RFC 9110 9.3.6)."""

    def __init__(self, host, port, credentials):
        target = "%s:%d" % (bracket(host), port)
        lines = ["CONNECT %s HTTP/1.1" % target, "Host: " + target]
        if credentials:
            lines.append("Proxy-Authorization: Basic " + base64.b64encode(credentials.encode()).decode())
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.ready = quiet_future()
        self.answer = bytearray()

    def connection_made(self, transport):
        transport.write(self.request)

    def data_received(self, data):
        self.answer += data
        head, found, _rest = bytes(self.answer).partition(b"\r\n\r\n")
        if self.ready.done() or not (found or len(self.answer) > 65536):
            return
        status = parse_head(head)[0]
        if 200 <= status < 300:
            self.ready.set_result(None)
        else:
            hint = " (it wants a name and password: http://name:password@host:port)" if status == 407 else ""
            self.ready.set_exception(ConnectionError("the proxy answered %d%s" % (status, hint)))

    def connection_lost(self, exc):
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the proxy ended the connection"))


def choose_proxy(secure, host, port, settings):
    """(host, port, credentials) of the proxy for an address, or None. Loopback never goes through one. Raises ValueError."""
    if is_loopback(host):
        return None
    names = ("HTTPS_PROXY", "https_proxy") if secure else ("HTTP_PROXY", "http_proxy")
    name = next((name for name in names if settings.get(name)), None)
    if name is None or excepted(host, port, settings.get("NO_PROXY") or settings.get("no_proxy") or ""):
        return None
    value = settings[name]
    parts = urlsplit(value if "://" in value else "http://" + value)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("%s: only http://host:port proxies are supported, not '%s'" % (name, value.rpartition("@")[2]))
    credentials = None
    if parts.username is not None:
        credentials = "%s:%s" % (unquote(parts.username), unquote(parts.password or ""))
    return parts.hostname, parts.port or 80, credentials


def excepted(host, port, no_proxy):
    """Whether NO_PROXY names the host: names with their subdomains, addresses, ranges, `*`, each optionally with a port."""
    host = host.lower().rstrip(".")
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry == "*":
            return True
        name, wanted = split_port(entry)
        if not name or (wanted and wanted != str(port)):
            continue
        if "/" in name:
            if in_range(host, name):
                return True
            continue
        name = name.lstrip("*").lstrip(".")
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def split_port(entry):
    """('name or address', 'port' or '') of `name:port`, `[v6]:port`, `v6`."""
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        return address, rest[1:]
    name, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (name, port)


def in_range(host, network):
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def is_loopback(host):
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracket(host):
    return "[%s]" % host if ":" in host else host


def no_delay(transport):
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
