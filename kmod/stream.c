// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream. A checkpoint collects records in memory while the tasks are
 * frozen (ckpt_out) and writes them later; page data goes from the pages to
 * the file. A restart reads one record at a time (ckpt_in) and checks all of
 * the framing before anybody sees it: lengths, checksum, padding.
 *
 * Only the thread whose turn it is touches the stream, so there is no lock.
 * Signals other than SIGKILL are blocked in that thread.
 */
#include <linux/bvec.h>
#include <linux/crc32c.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "frame.h"
#include "private.h"

#define CKPT_BUF_SIZE	(256 * 1024)
/* what a restart reads at once of records: most have some 100 bytes */
#define CKPT_AHEAD	(16 * 1024)

struct ckpt_out_rec {
	struct list_head node;
	struct ckpt_hdr hdr;
	u8 payload[] __aligned(8);
};

static const u8 ckpt_zeros[PAGE_SIZE];

/* ---- writing ---- */

/**
 * ckpt_out() - begin a record
 * @ctx: the checkpoint
 * @type: CKPT_REC_*
 * @objref: the object it defines or is about, or 0
 * @fixed: bytes of its fixed part
 * @var: bytes of its variable part
 *
 * Return: its zeroed payload to fill in, or NULL without memory. The record
 * stands in the stream where this was called.
 */
void *ckpt_out(struct ckpt_ctx *ctx, u16 type, u32 objref, size_t fixed,
	       size_t var)
{
	struct ckpt_out_rec *rec;
	size_t len = fixed + var;

	if (WARN_ON_ONCE(len > CKPT_REC_MAX))
		return NULL;
	rec = kvzalloc(struct_size(rec, payload, round_up(len, CKPT_ALIGN)),
		       GFP_KERNEL_ACCOUNT);
	if (!rec)
		return NULL;
	rec->hdr.type = cpu_to_le16(type);
	rec->hdr.fixed = cpu_to_le16(fixed);
	rec->hdr.len = cpu_to_le32(len);
	rec->hdr.objref = cpu_to_le32(objref);
	list_add_tail(&rec->node, &ctx->out);
	return rec->payload;
}

/**
 * ckpt_out_drop() - forget the records that are not written yet
 * @ctx: the checkpoint
 */
void ckpt_out_drop(struct ckpt_ctx *ctx)
{
	struct ckpt_out_rec *rec, *next;

	list_for_each_entry_safe(rec, next, &ctx->out, node)
		kvfree(rec);
	INIT_LIST_HEAD(&ctx->out);
}

static bool ckpt_retry(ssize_t n)
{
	/* a stop signal is pending: the thread stops when the work is done */
	if (n != -ERESTARTSYS && n != -EINTR && n != -EAGAIN)
		return false;
	if (fatal_signal_pending(current))
		return false;
	schedule_timeout_killable(1);
	return true;
}

static int ckpt_write_iter(struct ckpt_ctx *ctx, struct iov_iter *iter)
{
	struct file *file = ctx->rq.image;
	bool stream = file->f_mode & FMODE_STREAM;
	ssize_t n;
	int err;

	while (iov_iter_count(iter)) {
		err = ckpt_aborted(ctx);
		if (err)
			return err;
		file_start_write(file);
		n = vfs_iter_write(file, iter, stream ? NULL : &file->f_pos, 0);
		file_end_write(file);
		if (n < 0) {
			if (ckpt_retry(n))
				continue;
			err = ckpt_aborted(ctx);
			if (err)
				return err;
			ctx->image_failed = true;
			return ckpt_err(ctx, n, "cannot write the image at offset %llu",
					ctx->pos);
		}
		ctx->pos += n;
		cond_resched();
	}
	return 0;
}

static int ckpt_write_buf(struct ckpt_ctx *ctx)
{
	struct iov_iter iter;
	struct kvec kvec = { ctx->buf, ctx->buf_len };

	ctx->buf_len = 0;
	iov_iter_kvec(&iter, WRITE, &kvec, 1, kvec.iov_len);
	return ckpt_write_iter(ctx, &iter);
}

static int ckpt_write(struct ckpt_ctx *ctx, const void *data, size_t len)
{
	size_t n;
	int err;

	if (!ctx->buf) {
		ctx->buf = kvmalloc(CKPT_BUF_SIZE, GFP_KERNEL);
		if (!ctx->buf)
			return -ENOMEM;
	}
	while (len) {
		n = min_t(size_t, len, CKPT_BUF_SIZE - ctx->buf_len);
		memcpy(ctx->buf + ctx->buf_len, data, n);
		ctx->buf_len += n;
		data += n;
		len -= n;
		if (ctx->buf_len == CKPT_BUF_SIZE) {
			err = ckpt_write_buf(ctx);
			if (err)
				return err;
		}
	}
	return 0;
}

static void ckpt_count(struct ckpt_ctx *ctx, const struct ckpt_hdr *hdr)
{
	ctx->crc = ~crc32c(~ctx->crc, &hdr->crc, sizeof(hdr->crc));
	ctx->records++;
}

static int ckpt_write_rec(struct ckpt_ctx *ctx, struct ckpt_hdr *hdr,
			  const void *payload)
{
	size_t len = le32_to_cpu(hdr->len);
	int err;

	hdr->crc = cpu_to_le32(ckpt_frame_crc(hdr, payload));
	ckpt_count(ctx, hdr);
	err = ckpt_write(ctx, hdr, sizeof(*hdr));
	if (!err)
		err = ckpt_write(ctx, payload, len);
	if (!err)
		err = ckpt_write(ctx, ckpt_zeros, -len & (CKPT_ALIGN - 1));
	return err;
}

/**
 * ckpt_out_flush() - write the collected records
 * @ctx: the checkpoint, outside the window
 *
 * Return: 0 or a negative errno.
 */
int ckpt_out_flush(struct ckpt_ctx *ctx)
{
	struct ckpt_out_rec *rec, *next;
	int err;

	list_for_each_entry_safe(rec, next, &ctx->out, node) {
		err = ckpt_write_rec(ctx, &rec->hdr, rec->payload);
		if (err)
			return err;
		list_del(&rec->node);
		kvfree(rec);
	}
	return 0;
}

/**
 * ckpt_write_magic() - write what an image begins with
 * @ctx: the checkpoint
 *
 * Return: 0 or a negative errno.
 */
int ckpt_write_magic(struct ckpt_ctx *ctx)
{
	return ckpt_write(ctx, CKPT_MAGIC, CKPT_MAGIC_LEN);
}

/**
 * ckpt_write_pages() - write a PAGES record and the pages
 * @ctx: the checkpoint
 * @objref: the address space or shared memory they belong to
 * @runs: where they belong
 * @nruns: how many runs
 * @pages: the pages, in the order of the runs
 * @npages: how many, at most CKPT_PAGES_MAX
 *
 * Return: 0 or a negative errno.
 */
int ckpt_write_pages(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_run *runs,
		     u32 nruns, struct page **pages, u32 npages)
{
	size_t var = nruns * sizeof(*runs);
	size_t end = ctx->pos + ctx->buf_len + sizeof(struct ckpt_hdr) +
		     sizeof(struct ckpt_pages) + var;
	struct ckpt_pages *rec;
	struct ckpt_hdr hdr = {
		.type = cpu_to_le16(CKPT_REC_PAGES),
		.fixed = cpu_to_le16(sizeof(*rec)),
		.len = cpu_to_le32(sizeof(*rec) + var),
		.objref = cpu_to_le32(objref),
	};
	struct bio_vec *bvec;
	struct iov_iter iter;
	unsigned int i, n = 0;
	int err;

	rec = kvzalloc(sizeof(*rec) + var, GFP_KERNEL);
	bvec = kvmalloc_array(npages, sizeof(*bvec), GFP_KERNEL);
	err = -ENOMEM;
	if (!rec || !bvec)
		goto out;
	rec->nruns = cpu_to_le32(nruns);
	rec->npages = cpu_to_le32(npages);
	rec->pad_bytes = cpu_to_le32(-end & (PAGE_SIZE - 1));
	memcpy(rec + 1, runs, var);
	err = ckpt_write_rec(ctx, &hdr, rec);
	if (!err)
		err = ckpt_write(ctx, ckpt_zeros, -end & (PAGE_SIZE - 1));
	if (!err && ctx->buf_len)
		err = ckpt_write_buf(ctx);
	if (err)
		goto out;
	for (i = 0; i < npages; i++) {
		if (n && bvec[n - 1].bv_page + bvec[n - 1].bv_len / PAGE_SIZE == pages[i] &&
		    page_to_pfn(bvec[n - 1].bv_page) + bvec[n - 1].bv_len / PAGE_SIZE ==
		    page_to_pfn(pages[i])) {
			bvec[n - 1].bv_len += PAGE_SIZE;
			continue;
		}
		bvec[n].bv_page = pages[i];
		bvec[n].bv_len = PAGE_SIZE;
		bvec[n++].bv_offset = 0;
	}
	iov_iter_bvec(&iter, WRITE, bvec, n, (size_t)npages * PAGE_SIZE);
	err = ckpt_write_iter(ctx, &iter);
	ctx->stats.pages += npages;
out:
	kvfree(bvec);
	kvfree(rec);
	return err;
}

/**
 * ckpt_write_tail() - end a complete image
 * @ctx: the checkpoint
 *
 * Return: 0 or a negative errno.
 */
int ckpt_write_tail(struct ckpt_ctx *ctx)
{
	struct ckpt_tail *tail;
	int err;

	tail = ckpt_out(ctx, CKPT_REC_TAIL, 0, sizeof(*tail), 0);
	if (!tail)
		return -ENOMEM;
	tail->records = cpu_to_le64(ctx->records);
	tail->bytes = cpu_to_le64(ctx->pos + ctx->buf_len);
	tail->pages = cpu_to_le64(ctx->stats.pages);
	tail->crc = cpu_to_le32(ctx->crc);
	err = ckpt_out_flush(ctx);
	if (!err && ctx->buf_len)
		err = ckpt_write_buf(ctx);
	ctx->stats.bytes = ctx->pos;
	return err;
}

/**
 * ckpt_write_error() - end the stream of a failed checkpoint, if it can be had
 * @ctx: the checkpoint
 */
void ckpt_write_error(struct ckpt_ctx *ctx)
{
	struct ckpt_error *rec;

	/* nothing was written, or the file itself is what failed */
	if ((!ctx->pos && !ctx->buf_len) || ctx->image_failed || ckpt_aborted(ctx))
		return;
	ckpt_out_drop(ctx);
	rec = ckpt_out(ctx, CKPT_REC_ERROR, 0, sizeof(*rec), 0);
	if (!rec)
		return;
	rec->err = cpu_to_le32(ctx->err);
	if (!ckpt_out_flush(ctx) && ctx->buf_len)
		ckpt_write_buf(ctx);
}

/* ---- reading ---- */

static int ckpt_truncated(struct ckpt_ctx *ctx, u64 at)
{
	return ckpt_err(ctx, -ENODATA,
			"the image ends at offset %llu, in the middle of a record", at);
}

/* reads some bytes; 0 is an error, too */
static ssize_t ckpt_read_some(struct ckpt_ctx *ctx, struct iov_iter *iter)
{
	struct file *file = ctx->rq.image;
	bool stream = file->f_mode & FMODE_STREAM;
	ssize_t n;
	int err;

	for (;;) {
		err = ckpt_aborted(ctx);
		if (err)
			return err;
		n = vfs_iter_read(file, iter, stream ? NULL : &file->f_pos, 0);
		if (n > 0)
			return n;
		if (!n)
			return ckpt_truncated(ctx, ctx->pos);
		if (!ckpt_retry(n))
			return ckpt_err(ctx, n, "cannot read the image at offset %llu",
					ctx->pos);
	}
}

/*
 * Only of a regular file is more read than was asked for: what follows an image
 * in a pipe is somebody else's.
 */
static int ckpt_read_ahead(struct ckpt_ctx *ctx)
{
	struct iov_iter iter;
	struct kvec kvec;
	ssize_t n;

	if (!ctx->buf) {
		ctx->buf = kvmalloc(CKPT_AHEAD, GFP_KERNEL);
		if (!ctx->buf)
			return -ENOMEM;
	}
	kvec.iov_base = ctx->buf;
	kvec.iov_len = CKPT_AHEAD;
	iov_iter_kvec(&iter, READ, &kvec, 1, CKPT_AHEAD);
	n = ckpt_read_some(ctx, &iter);
	if (n < 0)
		return n;
	ctx->buf_off = 0;
	ctx->buf_len = n;
	return 0;
}

/**
 * ckpt_read_iter() - read bytes of the stream
 * @ctx: the restart
 * @iter: where they go
 *
 * Return: 0 or a negative errno; an image that ends is one.
 */
int ckpt_read_iter(struct ckpt_ctx *ctx, struct iov_iter *iter)
{
	bool ahead = S_ISREG(file_inode(ctx->rq.image)->i_mode) && iov_iter_is_kvec(iter);
	size_t left;
	ssize_t n;

	while (iov_iter_count(iter)) {
		left = ctx->buf_len - ctx->buf_off;
		if (left) {
			n = min(left, iov_iter_count(iter));
			if (copy_to_iter(ctx->buf + ctx->buf_off, n, iter) != n)
				return ckpt_err(ctx, -EFAULT, "cannot put the image's bytes at offset %llu in place",
						ctx->pos);
			ctx->buf_off += n;
		} else if (ahead && iov_iter_count(iter) < CKPT_AHEAD) {
			n = ckpt_read_ahead(ctx);
			if (n)
				return n;
			continue;
		} else {
			n = ckpt_read_some(ctx, iter);
			if (n < 0)
				return n;
			cond_resched();
		}
		ctx->pos += n;
	}
	return 0;
}

/**
 * ckpt_read_pos() - where the stream stands, for another reader
 * @ctx: the restart
 *
 * Return: position in the image's file, or -1 where only one can read.
 */
loff_t ckpt_read_pos(struct ckpt_ctx *ctx)
{
	if (!S_ISREG(file_inode(ctx->rq.image)->i_mode) || !(ctx->rq.image->f_mode & FMODE_PREAD))
		return -1;
	return ctx->rq.image->f_pos - (ctx->buf_len - ctx->buf_off);
}

/**
 * ckpt_read_skip() - go on behind what another reader has read
 * @ctx: the restart; its image is a regular file
 * @len: bytes
 */
void ckpt_read_skip(struct ckpt_ctx *ctx, size_t len)
{
	size_t ahead = min(len, ctx->buf_len - ctx->buf_off);

	ctx->buf_off += ahead;
	ctx->rq.image->f_pos += len - ahead;
	ctx->pos += len;
}

/**
 * ckpt_read_end() - nothing more is read of the stream
 * @ctx: the restart
 *
 * The file's position is then behind what was used.
 */
void ckpt_read_end(struct ckpt_ctx *ctx)
{
	if (ctx->buf_len)
		ctx->rq.image->f_pos -= ctx->buf_len - ctx->buf_off;
	ctx->buf_len = 0;
	ctx->buf_off = 0;
	kvfree(ctx->buf);
	ctx->buf = NULL;
}

/**
 * ckpt_read_kernel() - read bytes of the stream
 * @ctx: the restart
 * @dst: kernel memory
 * @len: how many
 *
 * Return: 0 or a negative errno; an image that ends is one.
 */
int ckpt_read_kernel(struct ckpt_ctx *ctx, void *dst, size_t len)
{
	struct kvec kvec = { dst, len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, READ, &kvec, 1, len);
	return ckpt_read_iter(ctx, &iter);
}

/**
 * ckpt_read_user() - read bytes of the stream into the caller's memory
 * @ctx: the restart
 * @dst: memory of the current task
 * @len: how many
 *
 * Return: 0 or a negative errno.
 */
int ckpt_read_user(struct ckpt_ctx *ctx, void __user *dst, size_t len)
{
	struct iov_iter iter;
	struct iovec iov;
	int err;

	err = ckpt_import_ubuf(true, dst, len, &iov, &iter);
	if (err)
		return err;
	return ckpt_read_iter(ctx, &iter);
}

/**
 * ckpt_bad() - say what is wrong with a record
 * @ctx: the restart
 * @in: the record
 * @what: what is wrong
 *
 * Return: -EBADMSG
 */
int ckpt_bad(struct ckpt_ctx *ctx, const struct ckpt_in *in, const char *what)
{
	return ckpt_err(ctx, -EBADMSG, "image offset %llu: %s: %s", in->offset,
			ckpt_rec_name(in->type), what);
}

/**
 * ckpt_in_free() - free a record
 * @in: the record, an ERR_PTR or NULL
 */
void ckpt_in_free(struct ckpt_in *in)
{
	if (IS_ERR_OR_NULL(in))
		return;
	kvfree(in->var);
	kfree(in);
}

/**
 * ckpt_in() - read the next record
 * @ctx: the restart
 *
 * Its framing is checked: the length, the checksum, the padding, and that the
 * fixed part has all fields of version 1. What the fields say is for the kind
 * to check.
 *
 * Return: the record, to be freed with ckpt_in_free(), or an ERR_PTR.
 */
struct ckpt_in *ckpt_in(struct ckpt_ctx *ctx)
{
	const struct ckpt_rec_kind *kind;
	struct ckpt_in *in;
	struct ckpt_hdr hdr;
	u8 *payload = NULL, *at;
	const char *why;
	size_t padded;
	int err;

	/* an image may have any number of them */
	in = kzalloc(sizeof(*in), GFP_KERNEL_ACCOUNT);
	if (!in)
		return ERR_PTR(-ENOMEM);
	in->offset = ctx->pos;
	err = ckpt_read_kernel(ctx, &hdr, sizeof(hdr));
	if (err)
		goto fail;
	in->type = le16_to_cpu(hdr.type);
	in->objref = le32_to_cpu(hdr.objref);
	kind = ckpt_rec_kind(in->type);
	if (!kind) {
		err = ckpt_err(ctx, -EBADMSG, "image offset %llu: record type %#x is not known",
			       in->offset, in->type);
		goto fail;
	}
	why = ckpt_frame_head(&hdr, kind->fixed);
	if (why)
		goto bad;
	padded = ckpt_frame_padded(&hdr);
	/* most records have nothing but a fixed part */
	at = in->fixed;
	if (le16_to_cpu(hdr.fixed) != le32_to_cpu(hdr.len) ||
	    padded > sizeof(in->fixed)) {
		payload = kvmalloc(padded ? padded : 1, GFP_KERNEL_ACCOUNT);
		if (!payload) {
			err = -ENOMEM;
			goto fail;
		}
		at = payload;
	}
	err = ckpt_read_kernel(ctx, at, padded);
	if (err)
		goto fail;
	why = ckpt_frame_body(&hdr, at);
	if (why)
		goto bad;
	if (payload)
		in->var_len = ckpt_frame_split(&hdr, payload, in->fixed, sizeof(in->fixed));
	if (in->var_len)
		in->var = payload;
	else
		kvfree(payload);
	ckpt_count(ctx, &hdr);
	return in;

bad:
	err = ckpt_bad(ctx, in, why);
fail:
	kvfree(payload);
	kfree(in);
	return ERR_PTR(err);
}

/**
 * ckpt_in_expect() - read the next record, which must be of one type
 * @ctx: the restart
 * @type: CKPT_REC_*
 *
 * Return: the record, or an ERR_PTR.
 */
struct ckpt_in *ckpt_in_expect(struct ckpt_ctx *ctx, u16 type)
{
	struct ckpt_in *in = ckpt_in(ctx);

	if (IS_ERR(in) || in->type == type)
		return in;
	ckpt_err(ctx, -EBADMSG, "image offset %llu: %s where %s must be",
		 in->offset, ckpt_rec_name(in->type), ckpt_rec_name(type));
	ckpt_in_free(in);
	return ERR_PTR(-EBADMSG);
}
