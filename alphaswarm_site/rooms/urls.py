"""Pages of the installation, below /ui/ in the namespace ``site``."""

from django.urls import path

from alphaswarm_site.rooms import pulse, said, views

app_name = "site"
urlpatterns = [
    path("system/", views.system, name="system"),
    path("messages/", said.messages, name="messages"),
    path("system/pulse/", pulse.pulse, name="pulse"),
    path("audit/", views.audit, name="audit"),
    path("settings/", views.settings, name="settings"),
    path("settings/tokens/new/", views.token_new, name="token_new"),
    path("settings/tokens/<int:token_id>/revoke/", views.token_revoke, name="token_revoke"),
    path("audit/download/", views.audit_download, name="audit_download"),
]
