#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Threads: producers and consumers over a queue, a lock, a condition; main counts what came through."""
import queue
import threading
import time

work, lock, came = queue.Queue(maxsize=8), threading.Lock(), threading.Condition()
next_job, results = 0, set()


def produce():
    global next_job
    while True:
        with lock:
            next_job += 1
            job = next_job
            work.put(job)  # may sleep with the lock held: the other producer sleeps on the lock
        time.sleep(0.01)


def consume():
    while True:
        job = work.get()
        with came:
            results.add(job)
            came.notify()


for target in (produce, produce, consume, consume, consume):
    threading.Thread(target=target, daemon=True).start()

i = 0
while True:
    i += 1
    with came:
        # Every number comes once, so the next tick waits for exactly its own.
        while i not in results:
            came.wait()
        results.discard(i)
    if i % 4 == 0:
        print("tick", i // 4, flush=True)
