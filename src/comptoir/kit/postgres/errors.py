"""What can go wrong with the embedded PostgreSQL. Every message names the place, what was found there, and a cure.

PostgresError
├── BinariesMissing   no PostgreSQL to run
├── FolderUnusable    the folder, or something in it, cannot be used as it is
├── WrongVersion      the folder was made by another major version
├── CannotStart       the server was started and died; carries the end of its log
├── CannotStop        the server does not end
└── InUse             other processes still hold the server
"""

from comptoir.kit.errors import ComptoirError


class PostgresError(ComptoirError):
    """The embedded PostgreSQL cannot do what was asked."""


class BinariesMissing(PostgresError):
    pass


class FolderUnusable(PostgresError):
    pass


class WrongVersion(PostgresError):
    pass


class CannotStart(PostgresError):
    pass


class CannotStop(PostgresError):
    pass


class InUse(PostgresError):
    pass
