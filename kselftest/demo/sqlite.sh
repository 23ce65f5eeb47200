#!/bin/bash
# SPDX-License-Identifier: MIT
# The sqlite3 shell at the end of a pipe, all the time inside one open transaction on a file.
feed() {
	echo 'create table t (n integer primary key); begin immediate;'
	i=0
	while :; do
		i=$((i + 1))
		echo "insert into t values ($i);"
		echo "select case when count(*) = $i and sum(n) = $i * ($i + 1) / 2 then 'tick ' else 'wrong ' end || max(n) from t;"
		sleep 0.05
	done
}
rm -f test.db*
feed | sqlite3 -batch test.db
