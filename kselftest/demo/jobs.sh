#!/bin/bash
# SPDX-License-Identifier: MIT
# Pipelines of several processes, jobs in the background, command and process substitution, here documents.
set -o pipefail
i=0
while :; do
	i=$((i + 1))
	sum=$(seq 1 20000 | sort -rn | awk '{ s += $1 } END { print s }') || echo "wrong: status $?"
	[ "$sum" = 200010000 ] || echo "wrong sum $sum"
	(sleep 0.05; exit 7) & job=$!
	lines=$(join <(seq -w 1 3000) <(seq -w 0002 3000) | wc -l)
	[ "$lines" = 2999 ] || echo "wrong: $lines lines"
	read -r word <<<"$(yes | head -n 5000 | md5sum)"
	[ "$word" = "${want:=$word}" ] || echo "wrong $word"
	wait $job
	status=$?
	[ $status = 7 ] || echo "wrong: the job ended with $status"
	echo "tick $i"
done
