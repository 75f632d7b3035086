"""The Celery application: queue `live` (threads) for live-paced sessions, queue `jobs` (processes) for the rest."""

import os
import sys

from celery import Celery

from alphaswarm_site import heartbeat  # noqa: F401  (workers begin it by a signal)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphaswarm_site.settings")

# Celery puts the current folder before all others on the path, whatever lies there; commands run in any folder.
_path = list(sys.path)
app = Celery("alphaswarm")
sys.path[:] = _path
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
