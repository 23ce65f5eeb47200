#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One thread: counts, and checks a growing data structure against a hash of what it should hold."""
import hashlib
import sys
import time

numbers, digest = [], hashlib.sha256()
i = 0
while True:
    i += 1
    numbers.append(i * i)
    digest.update(b"%d," % (i * i))
    check = hashlib.sha256(b"".join(b"%d," % n for n in numbers[-2000:]))
    if len(numbers) <= 2000 and check.digest() != digest.digest():
        print("wrong: the list and its hash differ", flush=True)
        sys.exit(1)
    print("tick", i, flush=True)
    time.sleep(0.05)
