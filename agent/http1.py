"""As much of HTTP/1.1 as one request with `Connection: close` needs (RFC 9112)."""
import asyncio
import json

ANSWER_BYTES = 65536


def quiet_future():
    """A future whose exception may stay unasked for: the one who waited may have left."""
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def parse_head(head):
    """(status, headers with lower-case names); status 0 when this is no HTTP answer."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    status = int(words[1]) if words[0].startswith("HTTP/1.") and len(words) > 1 and words[1].isdigit() else 0
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers


def body_of(headers, data, ended):
    """The body when it is complete, or None."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return unchunk(data) if not ended else (unchunk(data) or b"")
    length = headers.get("content-length", "")
    if length.isdigit():
        return data[: int(length)] if len(data) >= int(length) or ended else None
    return data if ended else None


def unchunk(data):
    body = b""
    while True:
        size, found, data = data.partition(b"\r\n")
        if not found:
            return None
        try:
            count = int(size.split(b";")[0], 16)
        except ValueError:
            return None
        if count == 0:
            return body
        if len(data) < count + 2:
            return None
        body += data[:count]
        data = data[count + 2 :]


def problem(body):
    """The JSON object in a body, or {}."""
    try:
        data = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


class Exchange(asyncio.Protocol):
    """One request; `answer` resolves to (status, headers, body), or fails with OSError."""

    def __init__(self, request):
        self.request = request
        self.answer = quiet_future()
        self.data = bytearray()

    def connection_made(self, transport):
        transport.write(self.request)

    def data_received(self, data):
        self.data += data
        if len(self.data) > ANSWER_BYTES:
            self.fail("the answer is too long")
        else:
            self.look(False)

    def connection_lost(self, exc):
        self.look(True)
        self.fail(str(exc or "the connection ended without an answer"))

    def look(self, ended):
        head, found, rest = bytes(self.data).partition(b"\r\n\r\n")
        if not found or self.answer.done():
            return
        status, headers = parse_head(head)
        body = body_of(headers, rest, ended)
        if body is not None:
            self.answer.set_result((status, headers, body))

    def fail(self, reason):
        if not self.answer.done():
            self.answer.set_exception(ConnectionError(reason))


def post_json(authority, path, value):
    """The bytes of a POST."""
    body = json.dumps(value).encode()
    head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return (head % (path, authority, len(body))).encode("latin-1") + body
