// SPDX-License-Identifier: GPL-2.0-only
/*
 * The framing of a record: what is checked before anything of it is believed.
 * Nothing here reads, allocates or logs, so that it also builds for the host,
 * where a test gives it damaged images under a sanitizer (kselftest/host).
 * Locks: none.
 */
#include <asm/byteorder.h>
#include <linux/crc32c.h>
#include <linux/math.h>
#include <linux/string.h>

#include "frame.h"

/**
 * ckpt_frame_crc() - the checksum of a record
 * @hdr: its header, whose own checksum does not count
 * @payload: hdr->len bytes
 *
 * Return: the checksum.
 */
u32 ckpt_frame_crc(const struct ckpt_hdr *hdr, const void *payload)
{
	struct ckpt_hdr h = *hdr;
	u32 crc;

	h.crc = 0;
	crc = crc32c(~0U, &h, sizeof(h));
	return ~crc32c(crc, payload, le32_to_cpu(hdr->len));
}

/**
 * ckpt_frame_head() - check a header, before its payload is read
 * @hdr: the header
 * @fixed: size of the fixed part in version 1 of this type of record
 *
 * Return: what is wrong, or NULL.
 */
const char *ckpt_frame_head(const struct ckpt_hdr *hdr, u32 fixed)
{
	u32 len = le32_to_cpu(hdr->len), has = le16_to_cpu(hdr->fixed);

	if (len > CKPT_REC_MAX)
		return "its length is out of range";
	if (has > len || has < fixed || has % 4)
		return "the length of its fixed part is out of range";
	return NULL;
}

/**
 * ckpt_frame_padded() - what a payload takes in the stream
 * @hdr: a header that was checked
 *
 * Return: bytes.
 */
size_t ckpt_frame_padded(const struct ckpt_hdr *hdr)
{
	return round_up((size_t)le32_to_cpu(hdr->len), CKPT_ALIGN);
}

/**
 * ckpt_frame_body() - check what a header says of its payload
 * @hdr: a header that was checked
 * @payload: ckpt_frame_padded() bytes
 *
 * Return: what is wrong, or NULL.
 */
const char *ckpt_frame_body(const struct ckpt_hdr *hdr, const u8 *payload)
{
	u32 len = le32_to_cpu(hdr->len);

	if (le32_to_cpu(hdr->crc) != ckpt_frame_crc(hdr, payload))
		return "its checksum is wrong";
	if (memchr_inv(payload + len, 0, ckpt_frame_padded(hdr) - len))
		return "its padding is not zero";
	return NULL;
}

/**
 * ckpt_frame_split() - part a payload into what is known and what is variable
 * @hdr: a header that was checked
 * @payload: its payload, which the variable part is moved to the beginning of
 * @fixed: where the fixed part goes; what is not in the image becomes zero
 * @size: its size; what a newer writer has beyond it is left out
 *
 * Return: bytes of the variable part.
 */
size_t ckpt_frame_split(const struct ckpt_hdr *hdr, u8 *payload, void *fixed, size_t size)
{
	size_t has = le16_to_cpu(hdr->fixed), var = le32_to_cpu(hdr->len) - has;

	memset(fixed, 0, size);
	memcpy(fixed, payload, has < size ? has : size);
	if (has)
		memmove(payload, payload + has, var);
	return var;
}
