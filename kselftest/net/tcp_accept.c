// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection that waits for accept(). */
#include "inet.h"

REFUSED("tcp-accept");

int main(void)
{
	int l, c, a;
	char b;

	l = listener(AF_INET, 1);
	c = client(name_of(l, false));
	test_init(1);
	ckpt_point();
	a = must(accept(l, NULL, NULL));
	ok(write(c, "x", 1) == 1 && read(a, &b, 1) == 1, "it goes on");
	return test_end();
}
