# SPDX-License-Identifier: MIT
# Runs a command on a pseudo terminal and copies what it says, as script(1) does.
import pty
import sys

sys.exit(pty.spawn(sys.argv[1:]))
