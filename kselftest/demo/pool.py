#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A pool of processes that computes, with results in order, a lock, a shared value, an event and a manager's process."""
import hashlib
import multiprocessing
import sys
import time


def prepare(lock, total):
    global LOCK, TOTAL
    LOCK, TOTAL = lock, total


def work(n):
    h = hashlib.sha256(b"%d" % n)
    for _ in range(2000):
        h.update(h.digest())
    with LOCK:
        TOTAL.value += n
    return n, h.hexdigest()


def numbers():
    n = 0
    while True:
        while n - done > 20:
            time.sleep(0.01)
        n += 1
        yield n


def check(n):
    h = hashlib.sha256(b"%d" % n)
    for _ in range(2000):
        h.update(h.digest())
    return h.hexdigest()


done = 0
if __name__ == "__main__":
    lock, total = multiprocessing.Lock(), multiprocessing.Value("q", 0, lock=False)
    with multiprocessing.Manager() as manager, multiprocessing.Pool(3, prepare, (lock, total)) as pool:
        shared = manager.dict()
        for n, digest in pool.imap(work, numbers()):
            done += 1
            shared["done"] = done
            if n != done or digest != check(n) or shared["done"] != done:
                print("wrong", n, digest, shared, flush=True)
                sys.exit(1)
            with lock:
                if total.value < n * (n + 1) // 2:
                    print("wrong total", total.value, flush=True)
            print("tick", done, flush=True)
