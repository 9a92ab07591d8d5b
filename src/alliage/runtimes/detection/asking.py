"""Asks a stack's library, then its tools, until one tells devices; and what kept the others from it."""

from dataclasses import dataclass

from alliage.catalog.records import Stack
from alliage.runtimes.detection.libraries import library_questions, parse_library
from alliage.runtimes.detection.problems import Problem, tool_failed, tool_missing
from alliage.runtimes.detection.running import End, Ran, Run, find_program
from alliage.runtimes.detection.seen import SeenDevice
from alliage.runtimes.detection.tools.known import tool_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one stack told. `teller` is the library or program that did, None when none could (then a problem says why)."""

    devices: tuple[SeenDevice, ...] = ()
    teller: str | None = None
    problems: tuple[Problem, ...] = ()


def ask(stack: Stack, vendor: str | None, run: Run, libraries: frozenset[str]) -> Answer:
    """The first answer with devices. `vendor` is the PCI vendor that was seen, None where the stack's is not known."""
    for argv in library_questions(vendor or "", libraries):
        if devices := parse_library(run(argv).text):
            return Answer(devices=devices, teller=argv[-2])
    failures: list[Problem] = []
    for program in stack.smi:
        tool = tool_named(program, stack)
        path = find_program(program, tool.folders)
        for words in tool.questions:
            ran = run((path, *words))
            if devices := tool.parse(ran.text):
                return Answer(devices=devices, teller=program)
            if ran.end is not End.MISSING:
                failures.append(tool_failed(stack, " ".join((program, *words)), _why(program, ran)))
            if ran.end in (End.MISSING, End.HUNG, End.NOT_EXECUTABLE):
                break
    return Answer(problems=tuple(failures[:1]) or (tool_missing(stack),))


def _why(program: str, ran: Ran) -> str:
    """What a run that told no device says of itself."""
    if ran.why:
        return ran.why
    lines = [line.strip() for line in ran.text.splitlines() if line.strip()]
    return f"{program} told no devices, but: {lines[-1][:200]}" if lines else f"{program} printed nothing"
