"""One run under its risk rules, driven order by order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from risk.agent import RiskManagementAgent
from risk.limits import RiskLimits
from tests.engine.builders import START, Script
from trading.engine.bars import Bar
from trading.engine.effects import Replace, Submit
from trading.engine.engine import Engine
from trading.engine.margin import AccountType
from trading.engine.orders import OrderRecord, Request
from trading.engine.records import Kind
from trading.engine.updates import OrderUpdate, UpdateKind

D = Decimal
SECOND = 1_000_000_000


class Trader:
    """A run that asks for what it is told to. Its clock stands still until it is moved."""

    def __init__(
        self,
        *,
        cash: str = "100000",
        universe: Sequence[str] = ("SPY",),
        account: AccountType = AccountType.UNLEVERED,
        begins: int = START,
        key: str = "run",
        **limits: object,
    ) -> None:
        self.agent = RiskManagementAgent(RiskLimits(**limits), D(cash))
        self.script = Script()
        self.engine = Engine(key, self.script, self.agent, universe, D(cash), account=account)
        self.now = begins
        self.fills = 0
        for symbol in universe:
            self.see(100.0, symbol)

    def see(self, close: float, symbol: str = "SPY", *requests: Request) -> list[OrderRecord]:
        """Let it see a close, at which it asks for the requests; the orders that left, as accepted by the venue."""
        self.script.steps = [list(requests)]  # type: ignore[arg-type]
        left: list[OrderRecord] = []
        for effect in self.engine.on_bar(Bar(symbol, self.now, close, close, close, close, 1000.0)):
            if isinstance(effect, Submit):
                left += [effect.order, *effect.linked]
            elif isinstance(effect, Replace):
                left.append(effect.by)
        for order in left:
            self.engine.on_submitted(order)
            self.tell(UpdateKind.ACCEPTED, order)
        return left

    def ask(self, *requests: Request, close: float = 100.0) -> list[OrderRecord]:
        return self.see(close, "SPY", *requests)

    def tell(self, kind: UpdateKind, order: OrderRecord, **fields: object) -> None:
        self.engine.on_update(OrderUpdate(kind, order.client_order_id, self.now, **fields))  # type: ignore[arg-type]

    def fill(self, order: OrderRecord, qty: str | Decimal | None = None, price: str | Decimal = "100") -> None:
        self.fills += 1
        part = order.remaining_qty if qty is None else D(qty)
        self.tell(UpdateKind.FILL, order, qty=part, price=D(price), execution_id=f"x-{self.fills}", fee=D(0))

    def trade(self, *requests: Request) -> list[OrderRecord]:
        """Ask, and have what left filled at once."""
        orders = self.ask(*requests)
        for order in orders:
            self.fill(order)
        return orders

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    @property
    def denied(self) -> dict[str, str]:
        """What the ledger would keep of the last denial."""
        return next(record.data or {} for record in reversed(self.engine.records) if record.kind is Kind.ORDER_DENIED)

    @property
    def code(self) -> str:
        return self.denied["code"]
