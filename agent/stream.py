"""One stream of the tunnel <-> one connection to the app's unix socket."""
import asyncio

from .wire import CONNRESET, DATA, END, PROTOCOL, QUANTUM_BYTES, RESET, WINDOW, WINDOW_BYTES


class Stream(asyncio.Protocol):
    """The local connection's protocol; credit both ways, END is a half-close."""

    def __init__(self, mux, number, send_credit):
        self.mux = mux
        self.number = number
        self.send_credit = send_credit
        self.receive_credit = WINDOW_BYTES
        self.taken = 0
        self.transport = None
        self.early = []
        self.out = bytearray()
        self.reading_paused = False
        self.writing_paused = False
        self.local_ended = False
        self.end_sent = False
        self.peer_ended = False
        self.closed = False
        self.lost = False

    # ---- local connection

    def connection_made(self, transport):
        if self.closed:
            transport.abort()
            return
        self.transport = transport
        transport.set_write_buffer_limits(high=262144)
        for data in self.early:
            transport.write(data)
        self.early = []
        self.grant()
        if self.peer_ended and transport.can_write_eof():
            transport.write_eof()

    def data_received(self, data):
        self.out += data
        self.mux.ready(self)
        self.throttle()

    def eof_received(self):
        self.local_ended = True
        self.mux.ready(self)
        return True  # stay half-open

    def connection_lost(self, exc):
        self.transport = None
        self.lost = True
        if self.closed:
            return
        if not self.local_ended:
            self.reset(CONNRESET)
        elif self.end_sent and self.peer_ended:
            self.finish()
        else:
            # The app has closed after its last byte: deliver what is left, then END.
            self.mux.ready(self)

    def pause_writing(self):
        self.writing_paused = True

    def resume_writing(self):
        self.writing_paused = False
        self.grant()

    # ---- tunnel side

    def on_data(self, data):
        if self.peer_ended or len(data) > self.receive_credit:
            self.reset(PROTOCOL)
            return
        self.receive_credit -= len(data)
        self.taken += len(data)
        if self.lost:
            return
        if self.transport is None:
            self.early.append(bytes(data))
        else:
            self.transport.write(bytes(data))
            self.grant()

    def on_window(self, count):
        self.send_credit += count
        if self.send_credit > 0x7FFFFFFF:
            self.reset(PROTOCOL)
            return
        self.mux.ready(self)

    def on_end(self):
        if self.peer_ended:
            self.reset(PROTOCOL)
            return
        self.peer_ended = True
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
        if self.end_sent:
            self.finish()

    def on_reset(self):
        self.closed = True
        self.mux.forget(self)
        if self.transport is not None:
            self.transport.abort()

    def grant(self):
        """Returns credit when the app took at least a quarter of the window."""
        if self.writing_paused or self.closed or self.peer_ended or self.taken < WINDOW_BYTES // 4:
            return
        count, self.taken = self.taken, 0
        self.receive_credit += count
        self.mux.number(WINDOW, self.number, count)

    def next_piece(self):
        """Up to one quantum that may go out now, or None."""
        count = min(len(self.out), self.send_credit, QUANTUM_BYTES)
        if count <= 0:
            return None
        piece = bytes(self.out[:count])
        del self.out[:count]
        self.send_credit -= count
        return piece

    def pump(self):
        """Sends one quantum; returns whether more could go out."""
        if self.closed:
            return False
        piece = self.next_piece()
        if piece is not None:
            self.mux.frame(DATA, self.number, piece)
        if not self.out and self.local_ended and not self.end_sent:
            self.end_sent = True
            self.mux.frame(END, self.number)
            if self.peer_ended or self.lost:
                self.finish()
        self.throttle()
        return bool(self.out) and self.send_credit > 0

    def throttle(self):
        if self.transport is None or self.local_ended:
            return
        full = len(self.out) >= 65536
        if full and not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        elif not full and self.reading_paused:
            self.reading_paused = False
            self.transport.resume_reading()

    def reset(self, code):
        if self.closed:
            return
        self.mux.number(RESET, self.number, code)
        self.on_reset()

    def finish(self):
        self.closed = True
        self.mux.forget(self)
        if self.transport is not None:
            self.transport.close()
