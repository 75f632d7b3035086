"""Pages from which a run is started, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.start_room import views

urlpatterns = [
    path("runs/new/", views.run_new, name="run_new"),
    path("runs/new/check/", views.check, name="run_check"),
]
