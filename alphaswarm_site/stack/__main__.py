"""`python -m alphaswarm_site.stack PROGRAM`: become that program.

supervisord runs each program by this command, so that its configuration holds no path, quote or secret.
"""

import json
import os
import sys

from alphaswarm_site.stack.paths import StackPaths
from alphaswarm_site.stack.postgres import CLEAN_ENVIRONMENT
from alphaswarm_site.stack.programs import PROGRAMS, SITE_ENVIRONMENT, STACK


def main() -> None:
    program, paths = PROGRAMS[sys.argv[1]], StackPaths.from_environment()
    os.environ.update(json.loads(bytes.fromhex(os.environ.pop(SITE_ENVIRONMENT, "7b7d"))))
    command = program.command(paths)
    environment = {**CLEAN_ENVIRONMENT, STACK: os.environ[STACK]} if program.own_environment else dict(os.environ)
    os.chdir(program.folder(paths))
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
