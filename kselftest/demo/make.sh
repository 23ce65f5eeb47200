#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds a program of six C files with make -j4 again and again, and looks at what it says.
rm -rf make && mkdir make && cd make || exit 1
for n in 1 2 3 4 5; do
	{
		echo "int f$n(int x) { int s = 0;"
		for k in {1..4}; do echo "for (int i = 0; i < x + $k; i++) s = s * 31 + i * $k;"; done
		echo "return s; }"
	} >f$n.c
done
cat >main.c <<-END
	int printf(const char *, ...);
	int f1(int), f2(int), f3(int), f4(int), f5(int);
	int main(void)
	{
		printf("%u\n", f1(1) + f2(2) + f3(3) + f4(4) + f5(5));
		return 0;
	}
END
cat >Makefile <<'END'
CFLAGS = -O1
prog: main.o f1.o f2.o f3.o f4.o f5.o
	$(CC) -o $@ $^
END
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
