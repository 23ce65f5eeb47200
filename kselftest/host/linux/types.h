/* SPDX-License-Identifier: GPL-2.0-only */
/* What kmod/frame.c takes from the kernel, for a program of the host. */
#ifndef HOST_LINUX_TYPES_H
#define HOST_LINUX_TYPES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include_next <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define le16_to_cpu(x) le16toh(x)
#define le32_to_cpu(x) le32toh(x)
#define le64_to_cpu(x) le64toh(x)
#define round_up(x, y) (((x) + (y) - 1) / (y) * (y))

u32 crc32c(u32 crc, const void *data, unsigned int len);
void *memchr_inv(const void *data, int c, size_t len);

#endif
