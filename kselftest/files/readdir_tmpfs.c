// SPDX-License-Identifier: GPL-2.0-only
/* The same in a tmpfs, which has another way to remember the place, and does not outlive a boot. */
#define READDIR_IN "/tmp"
#include "readdir.c"
MODES("ref continue restart twice");
