"""The way to the portal: proxy variables, CONNECT, TLS with a custom CA."""
import asyncio
import base64
import os
import ssl
import subprocess

from agent.dial import Portal, choose_proxy, excepted
from agent.enrol import Ended, Enrolment
from test.agent.kit import TOKEN, Case, Gateway, read_http


class Choice(Case):
    def test_each_scheme_has_its_variable_in_both_cases(self):
        for name in ("HTTPS_PROXY", "https_proxy"):
            self.assertEqual(choose_proxy(True, "portal.example", 443, {name: "http://p:8080"}), ("p", 8080, None))
            self.assertIsNone(choose_proxy(False, "portal.example", 80, {name: "http://p:8080"}))
        for name in ("HTTP_PROXY", "http_proxy"):
            self.assertEqual(choose_proxy(False, "portal.example", 80, {name: "p:8080"}), ("p", 8080, None))
            self.assertIsNone(choose_proxy(True, "portal.example", 443, {name: "p:8080"}))

    def test_name_and_password_are_taken_from_the_address_unquoted(self):
        self.assertEqual(choose_proxy(True, "a", 443, {"HTTPS_PROXY": "http://me:p%40ss@proxy:3128/"}), ("proxy", 3128, "me:p@ss"))

    def test_loopback_never_goes_through_a_proxy(self):
        for host in ("localhost", "s-x.localhost", "127.0.0.1", "127.9.9.9", "::1"):
            self.assertIsNone(choose_proxy(True, host, 443, {"HTTPS_PROXY": "http://p:1"}), host)

    def test_a_proxy_that_is_not_plain_http_is_refused_without_its_password(self):
        for value in ("https://u:geheim@p:1", "socks5://u:geheim@p:1"):
            with self.assertRaises(ValueError) as caught:
                choose_proxy(True, "a", 443, {"HTTPS_PROXY": value})
            self.assertNotIn("geheim", str(caught.exception))

    def test_no_proxy_names_hosts_domains_addresses_ranges_and_ports(self):
        for host, port, entry, wanted in (
            ("portal.example", 443, "portal.example", True), ("portal.example", 443, " .example , x", True), ("portal.example", 443, "*.example", True),
            ("PORTAL.example.", 443, "portal.EXAMPLE", True), ("portal.example", 443, "*", True), ("portal.example", 443, "ortal.example", False),
            ("notexample", 443, "example", False), ("portal.example", 443, "portal.example:443", True), ("portal.example", 443, "portal.example:80", False),
            ("10.1.2.3", 443, "10.0.0.0/8", True), ("11.1.2.3", 443, "10.0.0.0/8", False), ("portal.example", 443, "10.0.0.0/8", False),
            ("fd00::1", 443, "fd00::/8", True), ("fd00::1", 443, "fd00::1", True), ("fd00::1", 443, "[fd00::1]:443", True), ("fd00::1", 443, "[fd00::1]:80", False),
            ("portal.example", 443, "", False), ("portal.example", 443, ",,.", False), ("portal.example", 443, "10.0.0.0/nonsense", False),
        ):
            self.assertIs(excepted(host, port, entry), wanted, (host, entry))
            chosen = choose_proxy(True, host, port, {"HTTPS_PROXY": "http://p:1", "no_proxy": entry})
            self.assertIs(chosen is None, wanted)

    def test_an_address_that_cannot_be_dialled_is_refused(self):
        for url in ("ftp://x", "portal.example", "http://", ""):
            with self.assertRaises(ValueError):
                Portal(url, {})
        with self.assertRaises(ValueError):
            Portal("https://portal.example", {"LINKSPAN_CA": "/nowhere/ca.pem"})

    def test_ipv6_addresses_and_paths_are_kept(self):
        portal = Portal("https://[fd00::1]:8443/base/", {})
        self.assertEqual((portal.host, portal.port, portal.authority, portal.prefix), ("fd00::1", 8443, "[fd00::1]:8443", "/base"))
        self.assertEqual(Portal("https://portal.example", {}).authority, "portal.example")


class Proxy:
    """A CONNECT proxy that wants a name and password; whatever it is asked for, it connects to the gateway."""

    def __init__(self, port):
        self.target = port
        self.asked = []

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        line, headers, _body = await read_http(reader)
        self.asked.append(line)
        if headers.get("proxy-authorization") != "Basic " + base64.b64encode(b"me:p@ss").decode():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self.copy(reader, up_writer), self.copy(up_reader, writer))

    async def copy(self, reader, writer):
        try:
            while True:
                data = await reader.read(65536)
                if not data:
                    break
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


class Way(Case):
    async def asyncSetUp(self):
        self.gateway = Gateway()
        self.addAsyncCleanup(self.close)
        self.proxy = None
        self.lines = []

    async def close(self):
        await self.gateway.close()
        if self.proxy is not None:
            self.proxy.server.close()

    async def listen(self, tls=None):
        await self.gateway.listen(tls)
        self.proxy = Proxy(self.gateway.port)
        await self.proxy.listen()

    def certificates(self, name):
        """(CA file, server context) made by openssl for one DNS name."""
        folder = self.folder()
        files = {part: os.path.join(folder, part) for part in ("ca.key", "ca.pem", "key", "csr", "pem", "ext")}
        with open(files["ext"], "w") as file:
            file.write("subjectAltName=%s\n" % name)
        for command in (
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign",
            "req -newkey rsa:2048 -nodes -keyout key -out csr -subj /CN=test",
            "x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -out pem -days 2 -extfile ext",
        ):
            subprocess.run(["openssl"] + command.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["pem"], files["key"])
        return files["ca.pem"], context

    async def enrol(self, url, settings):
        """One try: the clock is past the limit afterwards."""
        clock = iter([0.0, 9e9])
        enrolment = Enrolment(Portal(url, settings), TOKEN)
        await asyncio.wait_for(enrolment.run(self.lines.append, lambda: next(clock)), 20)
        return enrolment.epoch

    async def refused(self, url, settings):
        with self.assertRaises(Ended):
            await self.enrol(url, settings)
        return self.lines[-1]

    async def test_a_connect_proxy_with_basic_auth_is_used(self):
        await self.listen()
        settings = {"HTTP_PROXY": "http://me:p%%40ss@127.0.0.1:%d" % self.proxy.port}
        self.assertEqual(await self.enrol("http://portal.example:8000", settings), 1)
        self.assertEqual(self.proxy.asked, ["CONNECT portal.example:8000 HTTP/1.1"])

    async def test_a_proxy_that_wants_a_password_is_named_as_the_cause(self):
        await self.listen()
        line = await self.refused("http://portal.example:8000", {"HTTP_PROXY": "http://127.0.0.1:%d" % self.proxy.port})
        self.assertIn("the proxy answered 407", line)
        self.assertEqual(self.gateway.enrolments, [])

    async def test_tls_through_a_proxy_is_verified_against_the_portal_name(self):
        ca, context = self.certificates("DNS:portal.example")
        await self.listen(context)
        settings = {"https_proxy": "http://me:p%%40ss@127.0.0.1:%d" % self.proxy.port, "LINKSPAN_CA": ca}
        self.assertEqual(await self.enrol("https://portal.example", settings), 1)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", await self.refused("https://other.example", settings))

    async def test_a_custom_ca_is_trusted_and_nothing_else_is(self):
        ca, context = self.certificates("IP:127.0.0.1")
        await self.listen(context)
        for name in ("LINKSPAN_CA", "SSL_CERT_FILE"):
            self.assertEqual(await self.enrol(self.gateway.url, {name: ca}), 1)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", await self.refused(self.gateway.url, {}))
        other, _context = self.certificates("IP:127.0.0.1")
        self.assertIn("CERTIFICATE_VERIFY_FAILED", await self.refused(self.gateway.url, {"LINKSPAN_CA": other}))

    async def test_a_certificate_for_another_name_is_refused(self):
        ca, context = self.certificates("DNS:portal.example")
        await self.listen(context)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", await self.refused(self.gateway.url, {"LINKSPAN_CA": ca}))
