#!/bin/bash
# SPDX-License-Identifier: MIT
# A PostgreSQL cluster: postmaster and workers, and a client that is inside one transaction all the time.
if [ "$(id -u)" = 0 ]; then
	# The server does not run as root.
	chown nobody .
	exec setpriv --reuid nobody --regid nogroup --clear-groups env HOME="$PWD" bash "$0"
fi
bin=$(echo /usr/lib/postgresql/*/bin)
rm -rf cluster && mkdir cluster && "$bin/initdb" -D cluster/db --no-sync -A trust >cluster/init 2>&1
"$bin/postgres" -D cluster/db -k "$PWD/cluster" -c listen_addresses= >cluster/log 2>&1 &
until "$bin/psql" -h "$PWD/cluster" postgres -c 'create table t (n integer)' >cluster/psql 2>&1; do sleep 0.2; done
feed() {
	echo 'begin;'
	i=0
	while :; do
		i=$((i + 1))
		echo "insert into t values ($i);"
		echo "select case when count(*) = $i and sum(n) = $i::bigint * ($i + 1) / 2 then 'tick ' else 'wrong ' end || max(n) from t;"
		sleep 0.05
	done
}
feed | "$bin/psql" -h "$PWD/cluster" -qAt postgres
