"""`python -m tests.sweep`: the whole crash sweep."""

import sys

from tests.sweep.sweep import main

if __name__ == "__main__":
    sys.exit(main())
