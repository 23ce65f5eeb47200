#!/bin/bash
# SPDX-License-Identifier: MIT
# A shell that counts, with a child process most of the time.
i=0
while :; do
	i=$((i + 1))
	echo "tick $i"
	sleep 0.05
done
