"""`python -m a3cs_hw`."""

import sys

from a3cs_hw.cli import main

sys.exit(main())
