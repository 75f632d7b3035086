"""What the environment sets. Of what is secret, or holds a password, only that it is set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Variable:
    name: str
    what: str
    secret: bool = False

    @property
    def given(self) -> bool:
        return bool(os.environ.get(self.name, "").strip())

    @property
    def shown(self) -> str:
        return "" if self.secret else os.environ.get(self.name, "").strip()


VARIABLES: Final = (
    Variable("ALPHASWARM_VAR", "The folder of servers, logs and files"),
    Variable("ALPHASWARM_BIND", "The address that the web server listens at"),
    Variable("ALPHASWARM_ALLOWED_HOSTS", "The names that a browser may call it by"),
    Variable("ALPHASWARM_HTTPS", "Whether a proxy speaks TLS for it"),
    Variable("ALPHASWARM_DEBUG", "Whether errors are shown with their code"),
    Variable("ALPHASWARM_LOG_LEVEL", "What is written to the logs"),
    Variable("ALPHASWARM_SECRET_KEY", "What signs sessions; made at the first start where it is not set", secret=True),
    Variable("DATABASE_URL", "A PostgreSQL that the stack does not start itself", secret=True),
    Variable("REDIS_URL", "A Redis that the stack does not start itself", secret=True),
    Variable("ALPHASWARM_DRILL_HOURS", "Hours between drills; 0 turns them off"),
    Variable("ALPHASWARM_ALPACA_API_KEY", "Alpaca, paper", secret=True),
    Variable("ALPHASWARM_ALPACA_SECRET_KEY", "Alpaca, paper", secret=True),
    Variable("ALPHASWARM_IBKR_HOST", "Interactive Brokers' gateway"),
    Variable("ALPHASWARM_IBKR_PORT", "Interactive Brokers' gateway"),
    Variable("ALPHASWARM_IBKR_CLIENT_ID", "The first client id at that gateway"),
    Variable("ALPHASWARM_TRADIER_TOKEN", "Tradier", secret=True),
    Variable("ALPHASWARM_TRADIER_ACCOUNT_ID", "Tradier", secret=True),
    Variable("ALPHASWARM_EMAIL_URL", "The mail server of alerts", secret=True),
    Variable("ALPHASWARM_EMAIL_FROM", "Who alerts come from"),
    Variable("ALPHASWARM_ALERT_EMAIL_TO", "Who is sent alerts"),
    Variable("ALPHASWARM_ALERT_WEBHOOK_URL", "Where alerts are posted", secret=True),
    Variable("ALPHASWARM_ALERT_WEBHOOK_SECRET", "What signs them", secret=True),
    Variable("ALPHASWARM_ALERT_SLACK_URL", "The Slack channel of alerts", secret=True),
    Variable("ALPHASWARM_HEARTBEAT_URL", "What is called while the guard lives", secret=True),
)
