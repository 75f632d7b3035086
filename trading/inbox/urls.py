"""Pages of the inbox, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.inbox import views

urlpatterns = [
    path("reconciliation/", views.reconciliation, name="reconciliation"),
    path("reconciliation/<int:difference_id>/adopt/", views.adopt, name="reconcile_adopt"),
    path("reconciliation/<int:difference_id>/ignore/", views.ignore, name="reconcile_ignore"),
    path("reconciliation/<int:difference_id>/flatten/", views.flatten, name="reconcile_flatten"),
]
