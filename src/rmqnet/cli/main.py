"""`rmqnet`: parses the command line, runs the command, turns errors into one sentence and an exit code."""

import contextlib
import io
import os
import re
import select
import sys
from collections.abc import Sequence
from importlib.metadata import version

import tyro

from rmqnet.cli.commands import Command
from rmqnet.domain.errors import InputError, PartlyFailedError
from rmqnet.domain.threads import use_threads

DESCRIPTION = """Quantitative knee MRI: from ultrashort-echo-time images to T1, adiabatic T1rho, B1 and M0 maps,
regions, tables and a report. Research use only; not a medical device.

Try `rmqnet demo` first. `rmqnet COMMAND --help` explains a command."""

FAILED = 2
"""Exit code for what a user can put right."""
PARTLY_FAILED = 1
"""Exit code where some subjects failed and the others are complete."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""
NOT_READ = 141
"""Exit code where nobody reads the output any more, as after `| head`; that of other tools in a shell."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one command: 0, 1 where some subjects failed, 2 for what a user can put right, 130 after Ctrl-C.

    141 where the reader of the output has gone.
    """
    try:
        line = list(sys.argv[1:] if arguments is None else arguments)
        if line == ["--version"]:
            print(f"rmqnet {version('rmqnet')}")
            return 0
        command = parse(line)
        use_threads(getattr(command, "threads", None))
        command.run()
        sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return NOT_READ
    except InputError as error:
        print(f"rmqnet: {error}", file=sys.stderr)
        return PARTLY_FAILED if isinstance(error, PartlyFailedError) else FAILED
    except KeyboardInterrupt:
        print(
            "rmqnet: interrupted; what is complete is kept, the same command goes on from there",
            file=sys.stderr,
        )
        return INTERRUPTED
    return 0


def _nobody_reads() -> bool:
    """True where the reader of the output has gone; what is left is then thrown away, so that Python ends in peace."""
    watch = select.poll()
    watch.register(sys.stdout.fileno(), select.POLLOUT)
    # another pipe may be the broken one, that of a worker: no reason to be silent
    closed = any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(0))
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return closed


def parse(arguments: Sequence[str]) -> Command:
    """The command with its options; InputError for a wrong line, SystemExit(0) after --help."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(Command, prog="rmqnet", description=DESCRIPTION, args=list(arguments))
    except SystemExit as stop:
        if not stop.code:
            sys.stdout.flush()
            raise
        raise InputError(_one_line(complaint.getvalue())) from None


def _one_line(box: str) -> str:
    """What the parser drew as a box, as one sentence."""
    lines = [line.strip("\u2502\u256d\u256e\u2570\u256f\u2500 ") for line in box.splitlines()]
    heading, *rest = [line for line in lines if line] or [""]
    text = re.sub(r"\s+", " ", " ".join(rest) or heading)
    text, _, place = re.sub(r"For full helptext, (?:run|see):?", "\0", text).partition("\0")
    # the checks of a configuration come wrapped in the parser's own words
    text = re.sub(r"Error parsing \S+: ", "", text.strip())
    return f"{text} (see {place.strip(': ')})" if place.strip(": ") else text
