"""HTTP and sockets, served by daphne."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")
http = get_asgi_application()

from alphaswarm_site import heartbeat  # noqa: E402
from trading.routing import websocket_urlpatterns  # noqa: E402  (its models need the loaded apps)

heartbeat.begin(heartbeat.name_here("web"))
application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
