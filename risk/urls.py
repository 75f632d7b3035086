"""Pages of the kill switch, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from risk import views

urlpatterns = [
    path("kill/", views.kill, name="kill"),
    path("kill/engage/", views.engage, name="kill_engage"),
    path("kill/release/", views.release, name="kill_release"),
]
