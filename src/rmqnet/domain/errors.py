"""The errors that a user can cause and cure."""


class InputError(ValueError):
    """What a user got wrong: one sentence that names the place, the rule and the cure.

    The command line prints it as one line and exits with code 2.
    """


class OutputError(InputError):
    """Nothing more can be written, to the disk or into the folder: it concerns all subjects, not one."""


class PartlyFailedError(InputError):
    """Some subjects failed and the others are complete; the command line exits with code 1."""
