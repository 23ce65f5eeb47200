#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds a program of eight C files with make -j4 again and again, and looks at what it says.
rm -rf make && mkdir make && cd make || exit 1
for n in 1 2 3 4 5 6 7 8; do
	{
		echo "int f$n(int x) { int s = 0;"
		for k in {1..40}; do echo "for (int i = 0; i < x + $k; i++) s = s * 31 + i * $k;"; done
		echo "return s; }"
	} >f$n.c
done
cat >main.c <<-END
	#include <stdio.h>
	int f1(int), f2(int), f3(int), f4(int), f5(int), f6(int), f7(int), f8(int);
	int main(void)
	{
		printf("%u\n", f1(1) + f2(2) + f3(3) + f4(4) + f5(5) + f6(6) + f7(7) + f8(8));
		return 0;
	}
END
printf 'CFLAGS = -O2\nprog: main.o f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o\n\t$(CC) -o $@ $^\n' >Makefile
i=0
while :; do
	i=$((i + 1))
	rm -f ./*.o prog
	make -s -j4 >log 2>&1 || echo "wrong: make failed: $(<log)"
	got=$(./prog)
	[ -n "$got" ] && [ "$got" = "${want:=$got}" ] || echo "wrong $got"
	[ ! -s log ] || echo "wrong: make said $(<log)"
	echo "tick $i"
done
