"""`python -m kinespan.cli` is the command kinespan."""

import sys

from . import main

sys.exit(main())
