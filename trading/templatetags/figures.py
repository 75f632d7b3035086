"""How figures, times and states are written, on every page alike.

Filters take what `trading.rows` gives (decimal text, ISO 8601) as well as decimals and datetimes, and show an em dash
for what is not known. A minus is a real minus sign; the sign of money shows by sign and shape, never by colour alone.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

NOT_KNOWN: Final = "—"
MINUS: Final = "\N{MINUS SIGN}"
_MOST_DIGITS: Final = 24
#: Places of a price: of a unit or more, and of less.
_PLACES: Final = 4
_PLACES_OF_LITTLE: Final = 8

#: What a state asks of the person who reads it: nothing, a look, or a hand.
_CALM = frozenset({"completed", "stopped", "filled", "cancelled", "expired", "replaced"})
_BUSY = frozenset({"queued", "starting", "running", "draining", "accepted", "submitted", "intended", "initialized"})
_LOOK = frozenset(
    {"reducing", "blocked", "interrupted", "halted", "killed", "partially_filled", "pending_cancel", "denied"}
)
_TONES = {**dict.fromkeys(_CALM, "calm"), **dict.fromkeys(_BUSY, "busy"), **dict.fromkeys(_LOOK, "look")}

_KINDS: Final = {
    "live": "Live",
    "paper": "Paper",
    "synthetic": "Synthetic",
    "backtest": "Backtest",
}
#: Where an order of such a time in force trades.
_AUCTIONS: Final = {"opg": " at the open", "cls": " at the close"}
_MEANINGS: Final = {
    "live": "Real money at a broker",
    "paper": "Simulated money on market prices",
    "synthetic": "Simulated money on made-up prices",
    "backtest": "Simulated money on recorded prices",
}


def _decimal(value: Any) -> Decimal | None:
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return None
    return figure if figure.is_finite() else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str) and value:
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def _grouped(figure: Decimal, places: int) -> str:
    """Rounded half to even, in groups of three; what has more digits than a page can hold, as a power of ten."""
    if figure.adjusted() > _MOST_DIGITS:
        return f"{figure:.6e}".replace("-", MINUS)
    text = f"{figure:,.{places}f}"
    return text.replace("-", MINUS if any(digit in "123456789" for digit in text) else "")


def _trimmed(figure: Decimal, fewest: int, most: int) -> str:
    """Grouped and rounded to ``most`` places, without zeros at the end beyond ``fewest`` of them."""
    whole, _, places = _grouped(figure, most).partition(".")
    places = places.rstrip("0").ljust(fewest, "0")
    return f"{whole}.{places}" if places else whole


@register.filter
def money(value: Any) -> str:
    """``1,234.50``: an amount, to the cent."""
    figure = _decimal(value)
    return NOT_KNOWN if figure is None else _grouped(figure, 2)


@register.filter
def pnl(value: Any) -> SafeString | str:
    """A gain or a loss: shape, sign and colour say the same."""
    figure = _decimal(value)
    if figure is None:
        return NOT_KNOWN
    text = money(abs(figure))
    if text == money(0):
        return format_html('<span class="pnl">{}</span>', text)
    if figure > 0:
        return format_html('<span class="pnl pnl--gain"><i aria-hidden="true">▲</i>+{}</span>', text)
    return format_html('<span class="pnl pnl--loss"><i aria-hidden="true">▼</i>{}{}</span>', MINUS, text)


@register.filter
def price(value: Any) -> str:
    """``101.25``: two places at least, four at most, or eight where it is less than one."""
    figure = _decimal(value)
    if figure is None:
        return NOT_KNOWN
    return _trimmed(figure, 2, _PLACES if abs(figure) >= 1 else _PLACES_OF_LITTLE)


@register.filter
def terms(order: Any) -> str:
    """At what price an order of `trading.rows.order_row` trades: ``market``, ``limit 35.26``, ``stop 34.10``,
    ``stop 34.10, limit 34.00``, ``trails by 1.5%``; and ``at the open`` where it trades there alone."""
    said = []
    if order["stop_price"] is not None:
        said.append(f"stop {price(order['stop_price'])}")
    if order["trail_amount"] is not None:
        said.append(f"trails by {price(order['trail_amount'])}")
    if order["trail_percent"] is not None:
        said.append(f"trails by {qty(order['trail_percent'])}%")
    if order["limit_price"] is not None:
        said.append(f"limit {price(order['limit_price'])}")
    auction = _AUCTIONS.get(order["time_in_force"], "")
    return ", ".join(said or ["market"]) + auction


@register.filter
def ties(order: Any) -> str:
    """What an order has to do with others, and with the position: ``exit``, ``replacement``; empty where nothing."""
    known = {
        "by the venue": order["external"],
        "exit": order["parent_id"],
        "one of a group": order["group_id"] and not order["parent_id"],
        "replacement": order["replaces"],
        "reduce only": order["reduce_only"],
    }
    return ", ".join(said for said, holds in known.items() if holds)


@register.filter
def qty(value: Any) -> str:
    """``1,000`` or ``0.25``: as many places as it has."""
    figure = _decimal(value)
    return NOT_KNOWN if figure is None else _trimmed(figure, 0, _PLACES_OF_LITTLE)


@register.filter
def percent(value: Any) -> str:
    """``1.25%`` from the fraction 0.0125."""
    figure = _decimal(value)
    return NOT_KNOWN if figure is None else f"{_grouped(figure * 100, 2)}%"


@register.filter
def of(value: Any, whole: Any) -> Decimal | None:
    """The fraction that ``value`` is of ``whole``; None where there is none."""
    part, base = _decimal(value), _decimal(whole)
    return None if part is None or not base else part / base


@register.filter
def when(value: Any) -> SafeString | str:
    """Date and time to the second in the reader's zone, which is named."""
    moment = _moment(value)
    if moment is None:
        return NOT_KNOWN
    return _time(moment, "%Y-%m-%d %H:%M:%S")


@register.filter
def clock(value: Any) -> SafeString | str:
    """The time of day in the reader's zone, which is named, with the date where it is not today's."""
    moment = _moment(value)
    if moment is None:
        return NOT_KNOWN
    today = timezone.localdate(moment) == timezone.localdate()
    return _time(moment, "%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def _time(moment: datetime, form: str) -> SafeString:
    here = timezone.localtime(moment)
    said = '<time datetime="{}">{} <abbr class="zone">{}</abbr></time>'
    return format_html(said, moment.isoformat(), f"{here:{form}}", here.tzname())


@register.filter
def duration(value: Any, until: Any = None) -> str:
    """``1 h 04 min`` from one time to another, by default now."""
    begun, ended = _moment(value), _moment(until) or timezone.now()
    if begun is None:
        return NOT_KNOWN
    seconds = max(0, int((ended - begun).total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds % 60:02d} s" if minutes else f"{seconds} s"


@register.filter
def breakable(name: Any) -> SafeString:
    """A name that may go on in the next line after an underscore."""
    return format_html_join(mark_safe("_<wbr>"), "{}", ((part,) for part in str(name).split("_")))


@register.filter
def brief(value: Any) -> str:
    """The first eight characters of an id: enough to tell it from others, and to search for it."""
    return str(value)[:8]


@register.filter
def as_json(value: Any) -> str:
    """A document as text with a line for each member, by name."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


@register.filter
def tone(status: Any) -> str:
    """``calm``, ``busy``, ``look`` or ``alarm``: what a state asks of who reads it."""
    return _TONES.get(str(status), "alarm")


@register.filter
def words(code: Any) -> str:
    """``partially filled`` from ``partially_filled``."""
    return str(code).replace("_", " ")


@register.filter
def kind_name(kind: Any) -> str:
    return _KINDS.get(str(kind), str(kind))


@register.filter
def kind_meaning(kind: Any) -> str:
    """What money and what prices a kind of run is about."""
    return _MEANINGS.get(str(kind), "")


@register.filter
def side_mark(side: Any) -> SafeString:
    """A side by word and by shape."""
    shape = "▲" if str(side) == "buy" else "▼"
    return format_html('<span class="side side--{}"><i aria-hidden="true">{}</i>{}</span>', side, shape, side)
