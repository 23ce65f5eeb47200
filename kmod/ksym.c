// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the symbols of ksym.h. kallsyms_lookup_name() is itself not exported;
 * a kprobe that is registered for a moment gives its address.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

#include "private.h"
#include "ksym.h"

unsigned long kallsyms_lookup_name(const char *name);

DEFINE_STATIC_CALL_NULL(ckpt_sc_kallsyms_lookup_name, kallsyms_lookup_name);

#define CKPT_KSYM_DEFINE(name)	\
	DEFINE_STATIC_CALL_NULL(ckpt_sc_##name, name);
CKPT_KSYM_FUNCS(CKPT_KSYM_DEFINE)

struct ckpt_ksym_data ckpt_ksym_data __ro_after_init;

/*
 * Where a kernel is built with IBT the probe stands behind the ENDBR64 that
 * begins the function, or behind what the boot code made of it.
 */
static unsigned long __init ckpt_skip_endbr(unsigned long addr)
{
	static const u8 endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const u8 sealed[] = { 0x66, 0x0f, 0x1f, 0x00 };
	const void *before = (const void *)(addr - 4);

	if (!memcmp(before, endbr, 4) || !memcmp(before, sealed, 4))
		return addr - 4;
	return addr;
}

static unsigned long __init ckpt_lookup(const char *name, int *err)
{
	unsigned long addr = K(kallsyms_lookup_name)(name);

	if (!addr) {
		pr_err("this kernel has no symbol %s: the module was not made for it\n",
		       name);
		*err = -ENOENT;
	}
	return addr;
}

/**
 * ckpt_ksym_init() - find every symbol that the module needs
 *
 * Return: 0, or -ENOENT after naming each symbol that is missing.
 */
int __init ckpt_ksym_init(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	typeof(kallsyms_lookup_name) *lookup;
	int err;

	err = register_kprobe(&kp);
	if (err) {
		pr_err("cannot find kallsyms: kprobes gave error %d\n", err);
		return err;
	}
	lookup = (void *)ckpt_skip_endbr((unsigned long)kp.addr);
	unregister_kprobe(&kp);
	static_call_update(ckpt_sc_kallsyms_lookup_name, lookup);

#define CKPT_KSYM_FIND(name)						\
	do {								\
		typeof(name) *fn = (void *)ckpt_lookup(#name, &err);	\
									\
		if (fn)							\
			static_call_update(ckpt_sc_##name, fn);		\
	} while (0);
	CKPT_KSYM_FUNCS(CKPT_KSYM_FIND)
#undef CKPT_KSYM_FIND
#define CKPT_KSYM_FIND(type, name) \
	ckpt_ksym_data.name = (type *)ckpt_lookup(#name, &err);
	CKPT_KSYM_DATA(CKPT_KSYM_FIND)
#undef CKPT_KSYM_FIND
#define CKPT_KSYM_FIND(name) \
	ckpt_ksym_data.name = ckpt_lookup(#name, &err);
	CKPT_KSYM_ADDRS(CKPT_KSYM_FIND)
#undef CKPT_KSYM_FIND
	return err;
}

/**
 * ckpt_ksym_count() - how many symbols were found
 *
 * Return: the number; the module does not load with fewer than all.
 */
unsigned int ckpt_ksym_count(void)
{
#define CKPT_KSYM_ONE(...) + 1
	return 0 CKPT_KSYM_FUNCS(CKPT_KSYM_ONE) CKPT_KSYM_DATA(CKPT_KSYM_ONE)
		CKPT_KSYM_ADDRS(CKPT_KSYM_ONE);
#undef CKPT_KSYM_ONE
}
