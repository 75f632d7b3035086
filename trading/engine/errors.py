"""Errors, named by the reaction that they need."""


class TradingError(Exception):
    """Base of every error that the trading core raises on purpose."""


class InvalidValue(TradingError, ValueError):
    """A figure or a name that cannot be right, e.g. a negative quantity or an unreadable symbol."""


class InvalidTransition(TradingError):
    """An order was asked to go where its state does not lead."""


class VenueError(TradingError):
    """Base of what a broker adapter raises; the subclass says what the caller must do."""


class Transient(VenueError):
    """The call did not take effect; ask again."""


class Withheld(Transient):
    """Our own side held the call back at the last moment: it says nothing of the venue."""


class Rejected(VenueError):
    """The venue refused, finally; the message holds its reason."""


class Unknown(VenueError):
    """It is not known whether the call took effect; resolve it by client order id before anything else."""


class Fatal(VenueError):
    """The connection cannot be used (credentials, protocol); stop."""
