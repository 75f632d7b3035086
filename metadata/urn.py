"""The names of documented things: `urn:alphaswarm:{kind}:{env}:{name}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHAPE = "urn:alphaswarm:{kind}:{env}:{name}"
LONGEST = 255
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class InvalidUrn(ValueError):
    """A text that is no URN of ours; the message says which part is wrong and how it should be."""


@dataclass(frozen=True)
class Urn:
    """`kind` (`mlmodel`, `pipeline` …) and `env` (`prod` …) are lower case; case matters everywhere."""

    kind: str
    env: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Urn:
        """The URN that a text spells, so that `str(Urn.parse(text)) == text`. Raises InvalidUrn."""
        if len(text) > LONGEST:
            raise InvalidUrn(f"a URN has {LONGEST} characters at most, not {len(text)}")
        parts = text.split(":")
        if len(parts) != 5 or parts[:2] != ["urn", "alphaswarm"]:
            raise InvalidUrn(f"{text!r} is not of the form {SHAPE}")
        kind, env, name = parts[2:]
        for label, word in (("kind", kind), ("env", env)):
            if not _WORD.fullmatch(word):
                raise InvalidUrn(f"the {label} {word!r} must be a lower-case letter, then such letters, digits, _ -")
        if not _NAME.fullmatch(name):
            raise InvalidUrn(f"the name {name!r} must be a letter or digit, then letters, digits, . _ -")
        return cls(kind, env, name)

    def __str__(self) -> str:
        return f"urn:alphaswarm:{self.kind}:{self.env}:{self.name}"
