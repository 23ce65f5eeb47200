// SPDX-License-Identifier: GPL-2.0-only
/* A 32-bit program. */
#include <elf.h>
#include <sys/stat.h>
#include "../../ckpt.h"

#ifndef MACHINE
REFUSED("compat");
#define MACHINE		EM_386
#endif

#define BASE		0x400000

/* there is no compiler for it: a program that consists of a jump to itself, in either mode */
static void write_program(const char *path)
{
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr p;
		unsigned char code[2];
	} prog = {
		.e = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = MACHINE,
			.e_version = EV_CURRENT,
			.e_ehsize = sizeof(prog.e),
			.e_phentsize = sizeof(prog.p),
			.e_phoff = (char *)&prog.p - (char *)&prog,
			.e_phnum = 1,
			.e_entry = BASE + ((char *)prog.code - (char *)&prog),
		},
		.p = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_align = 0x1000,
			.p_vaddr = BASE,
			.p_filesz = sizeof(prog),
			.p_memsz = sizeof(prog),
		},
		.code = { 0xeb, 0xfe },
	};
	int fd = must(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700));

	ok(write(fd, &prog, sizeof(prog)) == sizeof(prog), "the program is written");
	close(fd);
}

int main(void)
{
	int end[2], status;
	pid_t child;
	char c;

	test_init(4);
	write_program("program");
	must(pipe2(end, O_CLOEXEC));
	child = must(fork());
	if (!child) {
		execl("program", "program", NULL);
		c = errno;
		must(write(end[1], &c, 1));
		_exit(1);
	}
	close(end[1]);
	c = 0;
	ok(read(end[0], &c, 1) == 0, "the program runs: %s", strerror(c));
	close(end[0]);

	ckpt_point();

	must(kill(child, SIGKILL));
	ok(waitpid(child, &status, 0) == child, "it has ended");
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ran until then, status %#x", status);
	return test_end();
}
