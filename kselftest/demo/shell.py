# SPDX-License-Identifier: MIT
# An interactive shell on a pseudo terminal, with a pipeline in the foreground
# that counts. Every so often it is stopped from the keyboard and goes on with fg.
import os
import pty
import re

PIPELINE = b'while :; do echo; sleep 0.03; done | while read -r l; do n=$((n+1)); echo "tick $n"; done\n'


def main():
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["PS1"] = "prompt# "
        os.environ["TERM"] = "dumb"
        os.execvp("bash", ["bash", "--norc", "-i"])
    text = b""
    os.write(fd, PIPELINE)
    stopping = False
    while True:
        text += os.read(fd, 4096)
        *lines, text = text.split(b"\n")
        for line in lines:
            found = re.search(rb"tick (\d+)\r?$", line)
            if found:
                os.write(1, b"tick %s\n" % found.group(1))
                if int(found.group(1)) % 20 == 0 and not stopping:
                    os.write(fd, b"\x1a")
                    stopping = True
            if b"Stopped" in line:
                os.write(fd, b"fg\n")
                stopping = False


main()
