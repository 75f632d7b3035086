#!/usr/bin/env python
from alphaswarm_site.cli import main

if __name__ == "__main__":
    main()
