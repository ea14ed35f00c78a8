"""The exceptions of the platform, one tree; nothing else goes here.

    EcomError                     what was tried, what was seen, what to do next
    ├── PermanentError            trying again cannot help
    │   ├── ConfigurationError    the spec, a secret, the machine: exit code 2
    │   │   └── PreflightError    something that is needed here is missing or taken
    │   ├── CommandFailed         a program ended with a non-zero code
    │   ├── ProofFailed           a claim was tested and is false
    │   ├── CorruptBackup         stored bytes are not what the manifest says
    │   ├── MissingError          what was asked for is not there
    │   └── RefusedError          a safety rule forbids it
    └── TransientError            the same attempt may pass later
        ├── UnreachableError      a server, store or service does not answer
        ├── DeadlineExceeded      it did not finish in its time
        └── BusyError             somebody else holds it; says who and since when

The two branches decide retries at every level (see failures.py).
"""

from __future__ import annotations


class EcomError(Exception):
    """Base of all errors that the platform raises on purpose.

    tried: what was attempted, as a phrase ("dump database shop").
    seen: what happened instead, without secrets, bounded in length by the raiser.
    next_step: what the reader can do about it; a full sentence.
    """

    def __init__(self, tried: str, seen: str, next_step: str = "") -> None:
        self.tried = tried
        self.seen = seen
        self.next_step = next_step
        super().__init__(tried, seen, next_step)

    def __str__(self) -> str:
        text = f"{self.tried}: {self.seen}"
        return f"{text}\n  next: {self.next_step}" if self.next_step else text


class PermanentError(EcomError):
    """Trying again cannot help."""


class ConfigurationError(PermanentError):
    """The spec, a secret or a setting is wrong; found before anything starts."""


class PreflightError(ConfigurationError):
    """This machine or cluster lacks something, or something of it is taken."""


class CommandFailed(PermanentError):
    """A program ended with a code that its caller does not accept."""


class ProofFailed(PermanentError):
    """A claim was tested and is false."""


class CorruptBackup(ProofFailed):
    """Stored bytes are not what their manifest says."""


class MissingError(PermanentError):
    """What was asked for is not there."""


class RefusedError(PermanentError):
    """A safety rule forbids the action."""


class TransientError(EcomError):
    """The same attempt may pass later."""


class UnreachableError(TransientError):
    """A server, store or service does not answer."""


class DeadlineExceeded(TransientError):
    """It did not finish in its time."""


class BusyError(TransientError):
    """Somebody else holds it."""
