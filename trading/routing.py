from django.urls import URLPattern, path, re_path

from trading import consumers

websocket_urlpatterns: list[URLPattern] = [
    path("ws/paper/<str:run_id>", consumers.RunConsumer.as_asgi()),
    path("ws/portfolio", consumers.PortfolioConsumer.as_asgi()),
    re_path("", consumers.NowhereConsumer.as_asgi()),
]
