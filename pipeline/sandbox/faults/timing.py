"""Faults of time: answers that come late, byte by byte, or never. Pure: they say how long, the server waits."""

from __future__ import annotations

from pipeline.sandbox.faults.framing import framed, head_of
from pipeline.sandbox.faults.plan import Case
from pipeline.sandbox.model import Close, Drip, Reply, Script, Send, Wait


def late(case: Case) -> Script:
    """The sound answer after a fixed time."""
    return after(case.reply, case.options.number("seconds"))


def later_and_later(case: Case) -> Script:
    """Each hit waits one step longer than the one before, up to a limit."""
    seconds = case.options.number("seconds") + (case.hit - 1) * case.options.number("step")
    return after(case.reply, min(seconds, case.options.number("most")))


def unsteady(case: Case) -> Script:
    """A time between two limits, drawn by the seed."""
    low, high = case.options.number("seconds"), case.options.number("most")
    return after(case.reply, low + case.draw.random() * max(0.0, high - low))


def drip(case: Case) -> Script:
    """The head at once, then the body a few bytes at a time."""
    seconds, size = case.options.number("seconds"), case.options.whole("bytes")
    steps = (Send(head_of(case)), Drip(case.reply.body, size, seconds))
    return Script(steps, status=case.reply.status, served=case.reply.served)


def silent(case: Case) -> Script:
    """Some bytes of the answer, then nothing for long, then the end."""
    raw = framed(case)[: case.options.whole("at")]
    return Script((Send(raw), Wait(case.options.number("seconds")), Close()), status=case.reply.status if raw else 0)


def after(reply: Reply, seconds: float) -> Script:
    """A sound answer, some time from now."""
    return Script((Wait(seconds), reply), status=reply.status, served=reply.served)
