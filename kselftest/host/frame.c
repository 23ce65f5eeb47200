// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame: reads an image from standard input with the code of the module
 * (kmod/frame.c), built for the host with a sanitizer. Prints for each record
 * that is well framed its offset and type, and at the end "end", or what is
 * wrong with the one at an offset. image/frame_test.go runs it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../kmod/frame.c"

u32 crc32c(u32 crc, const void *data, unsigned int len)
{
	const u8 *p = data;
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

void *memchr_inv(const void *data, int c, size_t len)
{
	const u8 *p = data;

	for (; len--; p++)
		if (*p != c)
			return (void *)p;
	return NULL;
}

static unsigned long offset;

static void end(const char *why)
{
	printf("%lu %s\n", offset, why);
	exit(0);
}

/* exactly as much memory as there are bytes, so that one too many is noticed */
static u8 *take(size_t len)
{
	u8 *p = malloc(len);

	if (!p)
		abort();
	if (fread(p, 1, len, stdin) != len)
		end("truncated");
	return p;
}

int main(void)
{
	struct ckpt_pages *pages;
	struct ckpt_hdr *hdr;
	u8 *payload, fixed[256];
	const char *why;
	size_t more;
	int c;

	setvbuf(stdin, NULL, _IOFBF, 1 << 16);
	payload = take(CKPT_MAGIC_LEN);
	if (memcmp(payload, CKPT_MAGIC, CKPT_MAGIC_LEN))
		end("no magic");
	free(payload);
	for (offset = CKPT_MAGIC_LEN; (c = getchar()) != EOF; offset += sizeof(*hdr) + more) {
		ungetc(c, stdin);
		hdr = (void *)take(sizeof(*hdr));
		why = ckpt_frame_head(hdr, 0);
		if (why)
			end(why);
		payload = take(ckpt_frame_padded(hdr));
		why = ckpt_frame_body(hdr, payload);
		if (why)
			end(why);
		more = ckpt_frame_padded(hdr);
		ckpt_frame_split(hdr, payload, fixed, sizeof(fixed));
		printf("%lu %#x\n", offset, le16_to_cpu(hdr->type));
		if (le16_to_cpu(hdr->type) == CKPT_REC_PAGES) {
			pages = (void *)fixed;
			if (le32_to_cpu(pages->npages) > CKPT_PAGES_MAX || le32_to_cpu(pages->pad_bytes) >= 4096)
				end("its pages are out of range");
			free(payload);
			payload = take(le32_to_cpu(pages->pad_bytes) + le32_to_cpu(pages->npages) * 4096UL);
			more += le32_to_cpu(pages->pad_bytes) + le32_to_cpu(pages->npages) * 4096UL;
		}
		free(payload);
		free(hdr);
	}
	end("end");
}
