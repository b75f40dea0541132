"""The errors that a user can cause and cure."""

from rmqnet.domain.plain_text import plain_text

LONGEST_SENTENCE = 1500
"""Characters of an error; what a file holds may be longer, and is then left out in the middle: default."""


class InputError(ValueError):
    """What a user got wrong: one sentence that names the place, the rule and the cure.

    The command line prints it as one line and exits with code 2. Whatever a file put into it is plain text: no control
    character and no line break reaches a terminal or a log.
    """

    def __init__(self, sentence: object) -> None:
        text = plain_text(str(sentence))
        if len(text) > LONGEST_SENTENCE:
            half = LONGEST_SENTENCE // 2
            text = f"{text[:half]} ... {text[-half + 5 :]}"
        super().__init__(text)


class OutputError(InputError):
    """Nothing more can be written, to the disk or into the folder: it concerns all subjects, not one."""


class PartlyFailedError(InputError):
    """Some subjects failed and the others are complete; the command line exits with code 1."""


class UnknownSideError(InputError):
    """Neither participants.tsv nor a sidecar that was read states the side of a knee."""
