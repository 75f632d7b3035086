"""What a caller may do, and the roles that users get it by."""

from enum import StrEnum


class Scope(StrEnum):
    READ = "read"
    TRADE = "trade"
    HALT = "halt"
    ADMIN = "admin"


_INCLUDES = {
    Scope.READ: frozenset({"read"}),
    Scope.HALT: frozenset({"halt"}),
    Scope.TRADE: frozenset({"read", "halt", "trade"}),
    Scope.ADMIN: frozenset({"read", "halt", "trade", "admin"}),
}

ROLES = {"viewer": Scope.READ, "operator": Scope.TRADE, "admin": Scope.ADMIN}


def granted(scope: str) -> frozenset[str]:
    """Everything that a scope allows. Raises ValueError for a scope that does not exist."""
    return _INCLUDES[Scope(scope)]


ALL = granted("admin")
