"""Text from files that a terminal, a log or a page can show."""

import unicodedata

_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of Unicode that are no visible character: control, direction, half a pair, unassigned, line breaks."""


def plain_text(text: str) -> str:
    r"""The text in one line, with what is no visible character written as an escape, as in \x1b."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSAFE
        else character
        for character in text
    )
