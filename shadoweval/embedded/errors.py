"""Say in one sentence why a private server does not run, and what to do about it."""

from pathlib import Path


class EmbeddedError(RuntimeError):
    """Stop the start of a private server; the message is meant for the person at the terminal."""


def folder_refused(folder: Path, error: OSError) -> EmbeddedError:
    """Name the path the file system refused, and the way out.

    Args:
        folder: What was being prepared, for errors that carry no path of their own.
        error: What the operating system said.
    """
    path = error.filename or folder
    return EmbeddedError(
        f"{path} cannot be used ({error.strerror or error}): "
        "set SHADOWEVAL_VAR to a folder this account may write to."
    )
