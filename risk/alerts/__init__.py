"""Alerts: what a person should know, brought to them, and an outside service told that all is well.

One process calls `follow`, `deliver_due` and `beat` again and again; each does one round and returns at once. Anybody
may call `raise_alert`, anywhere. Nothing here is waited for by anything that trades.
"""

from __future__ import annotations

from risk.alerts import own
from risk.alerts.delivery import deliver_due
from risk.alerts.following import follow, register
from risk.alerts.heartbeat import beat
from risk.alerts.notices import Notice
from risk.alerts.raising import raise_alert

for source in own.SOURCES:
    register(source)

__all__ = ["Notice", "beat", "deliver_due", "follow", "raise_alert"]
