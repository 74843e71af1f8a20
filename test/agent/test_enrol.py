"""Enrolment: what is sent, what ends an agent, what is tried again."""
import asyncio
import hashlib

from agent.dial import Portal
from agent.enrol import Ended, Enrolment, backoff, end_if_told
from test.agent.kit import TOKEN, Case, Gateway, answer


class Enrol(Case):
    async def asyncSetUp(self):
        self.gateway = Gateway()
        await self.gateway.listen()
        self.addAsyncCleanup(self.gateway.close)
        self.lines = []
        self.now = 0.0

    def clock(self):
        return self.now

    async def pause(self, seconds):
        self.now += max(seconds, 1.0)

    async def enrol(self, url=None):
        enrolment = Enrolment(Portal(url or self.gateway.url, {}), TOKEN)
        await asyncio.wait_for(enrolment.run(self.lines.append, self.clock, self.pause), 20)
        return enrolment

    def answers(self, *given):
        rest = list(given)
        self.gateway.enrol = lambda body: rest.pop(0) if rest else None

    async def test_the_token_and_the_hash_of_an_own_key_are_sent_and_the_token_forgotten(self):
        enrolment = await self.enrol()
        self.assertEqual(enrolment.epoch, 1)
        self.assertIsNone(enrolment.token)
        self.assertEqual(self.gateway.enrolments, [{"token": TOKEN, "keyHash": hashlib.sha256(enrolment.key.encode()).hexdigest()}])
        self.assertEqual(len(enrolment.key), 43)

    async def test_every_try_carries_the_same_key(self):
        self.answers(answer(503, {"code": "internal"}), answer(401, {"code": "enrolment-unknown"}), answer(429, {"code": "rate-limited"}))
        await self.enrol()
        self.assertEqual(len(self.gateway.enrolments), 4)
        self.assertEqual(len({body["keyHash"] for body in self.gateway.enrolments}), 1)

    async def test_only_session_ended_and_conflict_end_at_once(self):
        for status, code, cause in ((410, "session-ended", "stop"), (409, "enrolment-conflict", "refused"), (409, "epoch-superseded", "stop")):
            self.answers(answer(status, {"code": code}))
            with self.assertRaises(Ended) as caught:
                await self.enrol()
            self.assertEqual(caught.exception.cause, cause)
        for status, code in ((410, "internal"), (409, "session-ended"), (404, "session-ended"), (410, None), (401, "enrolment-unknown")):
            end_if_told(status, {"code": code})

    async def test_an_answer_that_is_no_enrolment_is_tried_again(self):
        self.answers(
            answer(200, {"session": "x"}), answer(200, {"epoch": "1"}), answer(200, {"epoch": 0}), answer(200, [1]), answer(200, {"epoch": True}),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}", b"", b"x" * 70000,
        )
        await self.enrol()
        self.assertEqual(len(self.gateway.enrolments), 11)

    async def test_a_chunked_answer_is_understood(self):
        body = b'{"epoch":7}'
        self.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\n" + body[:4] + b"\r\n7\r\n" + body[4:] + b"\r\n0\r\n\r\n")
        self.assertEqual((await self.enrol()).epoch, 7)

    async def test_an_unknown_token_and_an_absent_portal_are_given_up_after_30_minutes(self):
        self.gateway.enrol = lambda body: answer(401, {"code": "enrolment-unknown"})
        with self.assertRaises(Ended) as caught:
            await self.enrol()
        self.assertEqual(caught.exception.cause, "away")
        self.assertGreaterEqual(self.now, 1800)
        self.assertGreater(len(self.gateway.enrolments), 100)
        await self.gateway.close()
        self.now = 0.0
        with self.assertRaises(Ended):
            await self.enrol()

    async def test_pauses_grow_with_full_jitter_up_to_15_seconds(self):
        for attempt, most in ((0, 0.5), (1, 0.85), (5, 7.1), (7, 15.0), (1000, 15.0)):
            pauses = [backoff(attempt) for _ in range(300)]
            self.assertLessEqual(max(pauses), most)
            self.assertGreater(max(pauses), most * 0.8)
            self.assertLess(min(pauses), most * 0.2)
