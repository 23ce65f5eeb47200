#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx with two workers on a socket of the file system, and a client that gets a file again and again.
rm -rf nginx && mkdir -p nginx/html && cd nginx || exit 1
seq 1 20000 >html/numbers
cat >conf <<END
daemon off;
worker_processes 2;
pid "$PWD/pid";
error_log "$PWD/error.log";
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path "$PWD/body";
	proxy_temp_path "$PWD/proxy";
	fastcgi_temp_path "$PWD/fastcgi";
	uwsgi_temp_path "$PWD/uwsgi";
	scgi_temp_path "$PWD/scgi";
	server { listen unix:socket; root "$PWD/html"; }
}
END
nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log" &
until [ -S socket ]; do sleep 0.1; done
exec python3 -u - <<'END'
import http.client, socket
want = open("html/numbers", "rb").read()

class Client(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("socket")

keep, i = Client("localhost"), 0
while True:
    i += 1
    once = Client("localhost")
    for c in keep, once:
        c.request("GET", "/numbers")
        got = c.getresponse().read()
        if got != want:
            print("wrong", len(got))
    once.close()
    if i % 50 == 0:
        keep = Client("localhost")
    print("tick", i)
END
