from django.urls import path

from trading.palette import views

urlpatterns = [
    path("palette/", views.palette, name="palette"),
]
