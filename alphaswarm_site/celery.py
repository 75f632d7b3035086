"""The Celery application: queue `live` (threads) for live-paced sessions, queue `jobs` (processes) for the rest."""

import os

from celery import Celery

from alphaswarm_site import heartbeat  # noqa: F401  (workers begin it by a signal)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")

app = Celery("alphaswarm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
