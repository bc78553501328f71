"""Everything that made the bundled weights: scenes, renderer, training loops and measurements."""

import signal
import sys

if sys.argv[:1] == ["-m"]:  # python -m training.NAME: Ctrl-C ends it without a traceback, also while libraries load
    signal.signal(signal.SIGINT, signal.SIG_DFL)
