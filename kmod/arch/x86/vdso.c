// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: where the vDSO is. Its code must be the same at restart, which the
 * header's checksum tells. Refuses: a vDSO that the program moved away from
 * its data pages.
 * Locks: the mmap_lock, taken by the callees.
 */
#include <linux/mm.h>
#include <asm/elf.h>
#include <asm/vdso.h>

#include "../../private.h"
#include "../../ksym.h"
#include "../arch.h"

unsigned long ckpt_arch_vdso(struct mm_struct *mm)
{
	return (unsigned long)mm->context.vdso;
}

void ckpt_arch_forget_vdso(void)
{
	current->mm->context.vdso = NULL;
}

int ckpt_arch_map_vdso(struct ckpt_ctx *ctx, unsigned long vdso)
{
	const struct vdso_image *image = KD(vdso_image_64);

	int err;

	/* the data pages stand before the code */
	err = K(map_vdso_once)(image, vdso + image->sym_vvar_start);
	/* an address in use is only a hint */
	if (!err && ckpt_arch_vdso(current->mm) != vdso)
		err = -EEXIST;
	return err;
}
