"""Where the tests run: a folder of their own in /tmp, gone afterwards. Imported before Django reads its settings."""

import os
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# A process that a test starts has this one's folder already, and must not make one of its own; each of several workers
# of one run must.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
_given = os.environ.get("ALPHASWARM_TEST_VAR") if os.environ.get("ALPHASWARM_TEST_WORKER", "") == WORKER else None
VAR = Path(_given or tempfile.mkdtemp(prefix="as-tests-"))

os.environ["ALPHASWARM_TEST_VAR"] = str(VAR)
os.environ["ALPHASWARM_TEST_WORKER"] = WORKER
os.environ["ALPHASWARM_VAR"] = str(VAR)
os.environ["DJANGO_SETTINGS_MODULE"] = "alphaswarm_site.settings"
# The developer's own .env, with keys of real accounts in it, stays out of the tests.
os.environ["PYTHON_DOTENV_DISABLED"] = "1"
