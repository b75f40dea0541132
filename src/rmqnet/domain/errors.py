"""The one error that a user can cause and cure."""


class InputError(ValueError):
    """What a user got wrong: one sentence that names the place, the rule and the cure.

    The command line prints it as one line and exits with code 2.
    """
