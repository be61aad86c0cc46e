"""check_python: importing this ends with a sentence where Python is too old.

Parses under Python 2.7, which is what `python` still is on old clusters.
"""
import os
import sys

if sys.version_info < (3, 6):
    program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    sys.stderr.write("%s: error: this is Python %d.%d; Python 3.6 or newer is needed\n" % (
        (program,) + tuple(sys.version_info[:2])))
    sys.stderr.write("  try: python3 %s\n" % " ".join(sys.argv))
    sys.exit(2)
