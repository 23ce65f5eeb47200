// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor holds: all general registers, flags, x87, SSE and AVX live in a loop that spins in user
 * mode and looks for the "go" file with a bare system call now and then. Segment bases, too.
 */
#include <asm/prctl.h>
#include <sys/syscall.h>
#include "ckpt.h"

uint64_t cpu_in[15], cpu_out[15];	/* rax rbx rdx rsi rdi rbp r8-r15, and flags in cpu_out */
uint8_t vec_in[16][32], vec_out[16][32];
uint64_t cpu_bad, cpu_avx;
uint16_t cpu_cw = 0x0b7f, cpu_cw_out;	/* round up */
uint32_t cpu_mxcsr = 0x5f80, cpu_mxcsr_out;	/* round towards +inf */
double x87_out[3];
char *cpu_go = ckpt_go_file;

#define LOADV(r) "vmovdqu vec_in+32*" #r "(%rip), %ymm" #r "\n\t"
#define SAVEV(r) "vmovdqu %ymm" #r ", vec_out+32*" #r "(%rip)\n\t"
#define LOADX(r) "movdqu vec_in+32*" #r "(%rip), %xmm" #r "\n\t"
#define SAVEX(r) "movdqu %xmm" #r ", vec_out+32*" #r "(%rip)\n\t"
#define ALL(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define CHECK(i, reg) "cmp cpu_in+8*" #i "(%rip), " reg "\n\tjne 8f\n\t"

void cpu_spin(void);
asm(
"	.text\n"
"cpu_spin:\n"
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
"	fninit; fldcw cpu_cw(%rip); fldpi; fldl2e; fldln2\n"
"	ldmxcsr cpu_mxcsr(%rip)\n"
"	cmpq $0, cpu_avx(%rip); je 1f\n\t"
	ALL(LOADV)
"	jmp 2f\n"
"1:\n\t"
	ALL(LOADX)
"2:	mov cpu_in+8(%rip), %rbx; mov cpu_in+40(%rip), %rbp\n"
"	mov cpu_in+16(%rip), %rdx; mov cpu_in+48(%rip), %r8; mov cpu_in+56(%rip), %r9\n"
"	mov cpu_in+64(%rip), %r10; mov cpu_in+80(%rip), %r12\n"
"	mov cpu_in+88(%rip), %r13; mov cpu_in+96(%rip), %r14; mov cpu_in+104(%rip), %r15\n"
"3:	mov cpu_in(%rip), %rax; mov cpu_in+24(%rip), %rsi; mov cpu_in+32(%rip), %rdi\n"
"	mov cpu_in+72(%rip), %r11\n"
"	mov $3000000, %rcx\n"
"	stc; std\n"
"4:	dec %rcx; jnz 4b\n"		/* dec leaves the carry alone */
"	jnc 7f\n"
"	pushf; pop %rcx; cld; test $0x400, %ecx; jz 7f\n\t"
	CHECK(0, "%rax") CHECK(3, "%rsi") CHECK(4, "%rdi") CHECK(9, "%r11")
"	mov $21, %eax; mov cpu_go(%rip), %rdi; xor %esi, %esi; syscall\n"	/* access(go, F_OK) */
"	test %rax, %rax; jnz 3b\n"
"	jmp 9f\n"
"7:\n"
"8:	incq cpu_bad(%rip)\n"
"9:	cld\n"
"	mov %rbx, cpu_out+8(%rip); mov %rbp, cpu_out+40(%rip); mov %rdx, cpu_out+16(%rip)\n"
"	mov %r8, cpu_out+48(%rip); mov %r9, cpu_out+56(%rip); mov %r10, cpu_out+64(%rip)\n"
"	mov %r12, cpu_out+80(%rip); mov %r13, cpu_out+88(%rip); mov %r14, cpu_out+96(%rip)\n"
"	mov %r15, cpu_out+104(%rip)\n"
"	stmxcsr cpu_mxcsr_out(%rip); fnstcw cpu_cw_out(%rip)\n"
"	fstpl x87_out(%rip); fstpl x87_out+8(%rip); fstpl x87_out+16(%rip)\n"
"	cmpq $0, cpu_avx(%rip); je 5f\n\t"
	ALL(SAVEV)
"	vzeroupper; jmp 6f\n"
"5:\n\t"
	ALL(SAVEX)
"6:	fninit; movl $0x1f80, -8(%rsp); ldmxcsr -8(%rsp)\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	ret\n");

static __thread int tls = 4711;

int main(void)
{
	static uint64_t at_gs = 0x1122334455667788;
	static const int kept[] = { 1, 2, 5, 6, 7, 8, 10, 11, 12, 13 };
	size_t width, bad = 0;
	uint64_t gs = 0, v;

	test_init(9);
	cpu_avx = __builtin_cpu_supports("avx") != 0;
	width = cpu_avx ? 32 : 16;
	fill(cpu_in, sizeof(cpu_in), 11);
	fill(vec_in, sizeof(vec_in), 12);
	if (strcmp(mode(), "alone") == 0)
		cpu_go = "/";
	must(syscall(SYS_arch_prctl, ARCH_SET_GS, &at_gs));

	ckpt_ready_busy();
	cpu_spin();

	ok(cpu_bad == 0, "rax rsi rdi r11 and flags, %lu bad", cpu_bad);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		bad += cpu_in[kept[i]] != cpu_out[kept[i]];
	ok(bad == 0, "ten other registers, %zu bad", bad);
	for (size_t i = bad = 0; i < 16; i++)
		bad += memcmp(vec_in[i], vec_out[i], width) != 0;
	ok(bad == 0, "%zu bytes each of 16 vector registers, %zu bad", width, bad);
	/* Only the rounding counts: running code may set exception flags. */
	ok((cpu_mxcsr_out & ~0x3fu) == cpu_mxcsr, "mxcsr %#x", cpu_mxcsr_out);
	ok(cpu_cw_out == cpu_cw, "x87 control word %#x", cpu_cw_out);
	ok(x87_out[0] > 0.693 && x87_out[0] < 0.694 && x87_out[1] > 1.442 && x87_out[1] < 1.443 &&
	   x87_out[2] > 3.141 && x87_out[2] < 3.142, "x87 stack %f %f %f", x87_out[0], x87_out[1], x87_out[2]);
	must(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	ok(gs == (uintptr_t)&at_gs, "gs base");
	asm volatile("mov %%gs:0, %0" : "=r"(v));
	ok(v == at_gs, "memory through gs");
	ok(tls == 4711, "thread-local memory through fs");
	return test_end();
}
