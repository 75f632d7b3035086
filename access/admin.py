"""Read-only views of tokens and of the audit log."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from access.models import ApiToken, AuditEntry

# It would show the secrets and let a session left open swap the device: /ui/account/ and the command line do it.
admin.site.unregister(TOTPDevice)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Looks, searches, filters; changes nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "scope", "owner", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_filter = ["scope"]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]
    exclude = ["sha256"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "verb", "target"]
    list_filter = ["verb"]
    search_fields = ["actor", "verb", "target"]
    date_hierarchy = "at"
    show_full_result_count = False
