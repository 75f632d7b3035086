"""How many SQL queries each page may take, by its route's name. Eight of them are the bar's and the session's.

Raise one only for a reason that the commit gives.
"""

from __future__ import annotations

from typing import Final

#: Of a page that is not named here.
MOST: Final = 22
BUDGETS: Final = {
    "access:login": 8,
    "access:account": 10,
    "ui:portfolio": 15,
    "ui:portfolio_chart": 4,
    "ui:modes": 4,
    "ui:runs": 9,
    "ui:run_new": 13,
    "ui:run": 13,
    "ui:run_chart": 6,
    "ui:run_bars": 4,
    "ui:run_orders": 10,
    "ui:run_fills": 10,
    "ui:bots": 11,
    "ui:bot_new": 8,
    "ui:bot": 13,
    "ui:bot_recipe": 10,
    "ui:sweeps": 9,
    "ui:sweep_new": 8,
    "ui:sweep": 15,
    "ui:sweep_trials": 11,
    "ui:why": 9,
    "ui:accounts": 18,
    "ui:venue_account": 14,
    "ui:account_promote": 15,
    "ui:account_limits": 11,
    "ui:breaker_reset": 10,
    "ui:reconciliation": 9,
    "ui:reconcile_adopt": 10,
    "ui:reconcile_ignore": 10,
    "ui:reconcile_flatten": 9,
    "ui:risk": 22,
    "ui:run_resume": 10,
    "ui:risk_events": 10,
    "ui:backtests": 11,
    "ui:backtest": 13,
    "ui:backtest_lines": 4,
    "ui:backtest_prices": 8,
    "ui:backtest_trades": 10,
    "ui:backtest_report": 12,
    "ui:compare": 9,
    "ui:compare_lines": 4,
    "ui:kill": 10,
    "ui:kill_release": 13,
    "ui:halts": 12,
    "ui:halt_release": 13,
    "ui:alerts": 17,
    "ui:alert_bell": 3,
}
