"""Pages of the kill switch, of halts and of alerts, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from risk import halt_views, views
from risk.alerts import views as alerts

urlpatterns = [
    path("kill/", views.kill, name="kill"),
    path("kill/engage/", views.engage, name="kill_engage"),
    path("kill/release/", views.release, name="kill_release"),
    path("risk/halts/", halt_views.halts, name="halts"),
    path("risk/halts/new/", halt_views.halt, name="halt"),
    path("risk/halts/<int:halt_id>/release/", halt_views.release, name="halt_release"),
    path("risk/alerts/", alerts.alerts, name="alerts"),
    path("risk/alerts/bell/", alerts.bell, name="alert_bell"),
    path("risk/alerts/test/", alerts.test, name="alert_test"),
    path("risk/alerts/<int:alert_id>/acknowledge/", alerts.acknowledge, name="alert_acknowledge"),
]
