from django.urls import URLPattern, URLResolver, include, path

app_name = "ui"
urlpatterns: list[URLPattern | URLResolver] = [path("", include("risk.urls"))]
