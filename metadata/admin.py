from django.contrib import admin

from access.admin import ReadOnlyAdmin
from metadata.models import Aspect


@admin.register(Aspect)
class AspectAdmin(ReadOnlyAdmin):
    list_display = ["urn", "name", "version", "created_at", "created_by"]
    list_filter = ["name"]
    search_fields = ["urn"]
