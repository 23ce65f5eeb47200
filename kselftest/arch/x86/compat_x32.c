// SPDX-License-Identifier: GPL-2.0-only
/* A program with the registers of 64 bits and pointers of 32. */
#include "../../ckpt.h"

REFUSED("compat");
/* the others have it disabled */
KERNELS("debug");

#define MACHINE		EM_X86_64
#include "compat.c"
