#!/bin/bash
# SPDX-License-Identifier: MIT
# A redis server with a client on its socket that never ends, one per count, and a save in the background most of
# the time.
rm -rf redis && mkdir redis
redis-server --port 0 --unixsocket "$PWD/redis/socket" --dir "$PWD/redis" --save "" --enable-debug-command yes \
	--rdb-key-save-delay 300 >redis/log &
cli() { redis-cli -s redis/socket "$@"; }
until cli ping >redis/ping 2>&1; do sleep 0.1; done
cli debug populate 5000 key 200 >redis/populate
cli blpop nothing 0 &
i=0
while :; do
	i=$((i + 1))
	n=$(cli incr count)
	[ "$n" = "$i" ] || echo "wrong $n"
	[ $((i % 50)) != 1 ] || cli bgsave >redis/bgsave
	echo "tick $i"
done
