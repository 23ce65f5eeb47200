/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_FRAME_H
#define _CKPT_FRAME_H

#include <linux/types.h>

#include "uapi/ckpt_image.h"

u32 ckpt_frame_crc(const struct ckpt_hdr *hdr, const void *payload);
const char *ckpt_frame_head(const struct ckpt_hdr *hdr, u32 fixed);
size_t ckpt_frame_padded(const struct ckpt_hdr *hdr);
const char *ckpt_frame_body(const struct ckpt_hdr *hdr, const u8 *payload);
size_t ckpt_frame_split(const struct ckpt_hdr *hdr, u8 *payload, void *fixed, size_t size);

#endif
