"""The app's output: passed on, the last lines kept, and a reader that is away never stops the agent."""
import os
import time

from agent.output import LINE_BYTES, Output
from test.agent.kit import Case


class Lines(Case):
    def pipe(self):
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        self.addCleanup(os.close, write_end)
        return read_end, write_end

    async def test_output_is_passed_on_and_the_last_20_lines_are_kept(self):
        read_end, write_end = self.pipe()
        output = Output(write_end)
        text = b"".join(b"line %d\r\n" % number for number in range(50)) + b"no end"
        for start in range(0, len(text), 7):
            output.data_received(text[start : start + 7])
        output.connection_lost(None)
        self.assertEqual(os.read(read_end, 65536), text)
        self.assertEqual(list(output.tail), ["line %d" % number for number in range(31, 50)] + ["no end"])
        self.assertTrue(output.done.done())

    async def test_a_line_without_end_is_kept_only_in_part(self):
        output = Output(self.pipe()[1])
        for _count in range(20):
            output.data_received(b"x" * 4096)
        self.assertLessEqual(len(output.rest), LINE_BYTES)
        output.data_received(b"\xff\n")
        self.assertLessEqual(len(output.last_lines(100)), 100)

    async def test_a_full_pipe_does_not_block_and_what_was_left_out_is_said(self):
        read_end, write_end = self.pipe()
        output = Output(write_end)
        began = time.monotonic()
        for _count in range(64):
            output.data_received(b"y" * 4096)
        self.assertLess(time.monotonic() - began, 1)
        self.assertGreater(output.dropped, 0)
        os.read(read_end, 1 << 20)
        output.data_received(b"again\n")
        self.assertIn(b"bytes of output left out here", os.read(read_end, 1 << 20))
        self.assertEqual(output.dropped, 0)
