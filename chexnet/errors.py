"""What can go wrong, by whose fault. A message says the rule, what was received, what to do."""

from __future__ import annotations


class ChexnetError(Exception):
    """The root of this project's errors; the command line prints it as one line."""

    exit_code = 1


class ConfigError(ChexnetError):
    """A setting is missing or wrong. Nothing starts."""


class BadInput(ChexnetError):
    """One file or record is at fault. It is rejected; the ones around it go on.

    Args:
        code: the error class in the dead letter, in kebab case, e.g. `too-large`.
        message: the sentence that a person reads.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[BadInput], tuple[str, str]]:
        return type(self), (self.code, str(self))


class Unavailable(ChexnetError):
    """A dependency is down or slow. Wait with backoff: nothing is rejected, nothing is lost."""


class Failed(Exception):
    """What a step called has failed on a message: a bug of somebody's, not the site's to mend.

    Args:
        message: the sentence.
        facts: what failed, for the dead letter's headers.
    """

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.facts = facts


class Forbidden(Unavailable):
    """Who asks has not the right to. No message is at fault: a step waits until it has."""

    exit_code = 3


class NotFound(ChexnetError):
    """A name, commit, version or record that is not there."""


class Stale(ChexnetError):
    """A change started from an older revision than the newest. Look again and decide again."""


class Refused(ChexnetError):
    """A rule of the platform forbids it; the message says what is missing."""

    exit_code = 3  # So that a script can tell a refusal from a failure.
