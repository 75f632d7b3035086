"""Pages of the installation, below /ui/ in the namespace ``site``."""

from django.urls import path

from alphaswarm_site.rooms import views

app_name = "site"
urlpatterns = [
    path("system/", views.system, name="system"),
    path("audit/", views.audit, name="audit"),
    path("audit/download/", views.audit_download, name="audit_download"),
]
