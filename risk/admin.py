"""The kill switch and scoped halts in the admin: to be read."""

from __future__ import annotations

from django.contrib import admin

from access.admin import ReadOnlyAdmin
from risk.models import KillEvent, KillSwitch, RiskHalt


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    list_display = ["id", "engaged", "epoch", "reason", "engaged_at", "engaged_by", "released_at", "released_by"]


@admin.register(KillEvent)
class KillEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "action", "epoch", "reason", "actor"]
    list_filter = ["action"]
    search_fields = ["reason", "actor"]
    date_hierarchy = "at"


@admin.register(RiskHalt)
class RiskHaltAdmin(ReadOnlyAdmin):
    list_display = ["at", "scope", "target", "reason", "by", "released_at", "released_by"]
    list_filter = ["scope"]
    search_fields = ["target", "reason", "by"]
    date_hierarchy = "at"
