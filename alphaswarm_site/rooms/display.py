"""How a person wants pages to look: theme, density and time zone, kept in cookies of this browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

THEMES: Final = ("system", "light", "dark")
DENSITIES: Final = ("normal", "compact")
#: Of the exchanges in the United States, whose symbols the product trades.
EXCHANGE: Final = "America/New_York"
_YEAR: Final = 365 * 86_400

Handler = Callable[[HttpRequest], HttpResponse]


@dataclass(frozen=True)
class Display:
    """``zone`` is the name of a time zone, such as Europe/Berlin."""

    theme: str = "system"
    density: str = "normal"
    zone: str = "UTC"

    @classmethod
    def of(cls, request: HttpRequest) -> Display:
        """What the cookies say; what makes no sense is as if it was not there."""
        theme, density, zone = (request.COOKIES.get(name, "") for name in ("theme", "density", "zone"))
        return cls(
            theme if theme in THEMES else "system",
            density if density in DENSITIES else "normal",
            zone if is_zone(zone) else "UTC",
        )

    def keep(self, response: HttpResponse, secure: bool) -> None:
        for name, value in asdict(self).items():
            # The theme's switch in the bar reads and writes its cookie too.
            response.set_cookie(name, value, max_age=_YEAR, secure=secure, samesite="Lax", httponly=name != "theme")


def is_zone(name: str) -> bool:
    return name in available_timezones()


def middleware(get_response: Handler) -> Handler:
    """Have a page written as its reader wants it; what programs read is always in UTC."""

    def displayed(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/ui/"):
            return get_response(request)
        request.display = Display.of(request)  # type: ignore[attr-defined]
        with timezone.override(ZoneInfo(request.display.zone)):  # type: ignore[attr-defined]
            return get_response(request)

    return displayed
