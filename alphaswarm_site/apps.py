from django.apps import AppConfig

from alphaswarm_site import telemetry

# Importing it here makes it the current app of every process, so that a task sent from the web finds its broker.
from alphaswarm_site.celery import app as celery_app

__all__ = ["SiteConfig", "celery_app"]


class SiteConfig(AppConfig):
    name = "alphaswarm_site"

    def ready(self) -> None:
        # Models exist only now.
        from alphaswarm_site import alerting

        telemetry.configure()
        alerting.register()
