"""One stream of the tunnel <-> one connection to the app's unix socket."""
import asyncio

from .wire import CONNRESET, DATA, END, INITIAL_WINDOW_BYTES, PROTOCOL, QUANTUM_BYTES, RESET, WINDOW, u32

READ_BYTES = 65536  # most that is read at once and held back while the tunnel is busy


class Stream(asyncio.Protocol):
    """The local connection's protocol; credit both ways, END is a half-close."""

    def __init__(self, mux, number, send_credit):
        self.mux = mux
        self.number = number
        self.send_credit = send_credit
        self.receive_credit = INITIAL_WINDOW_BYTES
        self.transport = None
        self.early = []
        self.out = b""
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
        transport.max_size = READ_BYTES
        transport.set_write_buffer_limits(high=INITIAL_WINDOW_BYTES)
        for data in self.early:
            transport.write(data)
        self.early = []
        if self.peer_ended:
            transport.write_eof()
        self.grant()

    def data_received(self, data):
        self.out = self.out + data if self.out else data
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
        elif self.end_sent:
            self.gone()
        # else the app has closed after its last byte: pump() delivers what is left, then END

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
        if self.transport is not None:
            self.transport.write(data)
            self.grant()
        elif not self.lost:
            self.early.append(data)

    def on_window(self, count):
        self.send_credit += count
        if self.send_credit > 0x7FFFFFFF:
            self.reset(PROTOCOL)
        elif self.out:
            self.mux.ready(self)

    def on_end(self):
        if self.peer_ended:
            self.reset(PROTOCOL)
            return
        self.peer_ended = True
        if self.transport is not None:
            self.transport.write_eof()
        if self.end_sent:
            self.finish()

    def grant(self):
        """Returns credit when the app took at least a quarter of the window."""
        if self.transport is None or self.writing_paused or self.closed or self.peer_ended:
            return
        target = self.mux.window_target()
        count = target - self.receive_credit - self.transport.get_write_buffer_size()
        if count >= target // 4:
            self.receive_credit += count
            self.mux.frame(WINDOW, self.number, u32(count))

    def pump(self):
        """Sends one quantum; returns whether more could go out at once."""
        if self.closed:
            return False
        count = min(len(self.out), self.send_credit, QUANTUM_BYTES)
        if count > 0:
            piece = self.out if count == len(self.out) else self.out[:count]
            self.out = self.out[count:]
            self.send_credit -= count
            self.mux.frame(DATA, self.number, piece)
        if not self.out and self.local_ended and not self.end_sent:
            self.end_sent = True
            self.mux.frame(END, self.number)
            if self.peer_ended:
                self.finish()
            elif self.lost:
                self.gone()
        self.throttle()
        return bool(self.out) and self.send_credit > 0

    def throttle(self):
        """Reads nothing further while something waits to be sent."""
        if self.transport is None or self.local_ended or self.transport.is_closing():
            return
        if self.out and not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        elif not self.out and self.reading_paused:
            self.reading_paused = False
            self.transport.resume_reading()

    # ---- ends

    def gone(self):
        """The app has closed both ways; a peer that still sends is told so."""
        if self.peer_ended:
            self.finish()
        else:
            self.reset(CONNRESET)

    def reset(self, code):
        if not self.closed:
            self.mux.frame(RESET, self.number, u32(code))
            self.on_reset()

    def on_reset(self):
        self.closed = True
        self.mux.forget(self)
        if self.transport is not None:
            self.transport.abort()

    def finish(self):
        self.closed = True
        self.mux.forget(self)
        if self.transport is not None:
            self.transport.close()
