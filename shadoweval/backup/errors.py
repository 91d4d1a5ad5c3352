"""What can go wrong with a backup.

BackupError
├── ProgramMissing     no pg_dump, pg_restore or psql that suits the server
├── DumpFailed         one of them ended with an error
├── NotABackup         the file is none of ours, damaged, or of a newer version
└── WouldOverwrite     there is data, or somebody uses it
"""


class BackupError(Exception):
    """A backup or a restore that did not happen; the message says what to do."""


class ProgramMissing(BackupError):
    """Postgres' own programs are missing, or older than the server."""


class DumpFailed(BackupError):
    """A program of Postgres ended with an error."""


class NotABackup(BackupError):
    """The file cannot be restored here."""


class WouldOverwrite(BackupError):
    """What is there would be lost, or is in use."""
