// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log: lines for a person to the caller's log descriptor, and the same
 * facts as events. Lines wait in memory while the tasks are frozen, since the
 * log may be a slow file, and are written between the phases.
 */
#include <linux/pid.h>
#include <linux/slab.h>

#include "private.h"

#define CKPT_LINE_MAX	512

struct ckpt_line {
	struct list_head node;
	unsigned int len;
	char text[];
};

static void ckpt_log_add(struct ckpt_ctx *ctx, const char *text)
{
	size_t len = strlen(text);
	struct ckpt_line *line;

	if (!ctx->rq.log)
		return;
	line = kmalloc(struct_size(line, text, len + 1), GFP_KERNEL);
	if (!line)
		return;
	memcpy(line->text, text, len);
	line->text[len] = '\n';
	line->len = len + 1;
	spin_lock(&ctx->lock);
	list_add_tail(&line->node, &ctx->log_lines);
	spin_unlock(&ctx->lock);
}

/**
 * ckpt_log() - add a line to the log
 * @ctx: the operation
 * @fmt: the line, without a line feed
 *
 * May sleep. A line that finds no memory is lost.
 */
void ckpt_log(struct ckpt_ctx *ctx, const char *fmt, ...)
{
	char text[CKPT_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ckpt_log_add(ctx, text);
}

/**
 * ckpt_err() - log an error where it is found
 * @ctx: the operation; its first error decides the result
 * @err: negative errno
 * @fmt: what failed, where, and what can be done
 *
 * Return: @err
 */
int ckpt_err(struct ckpt_ctx *ctx, int err, const char *fmt, ...)
{
	char text[CKPT_LINE_MAX];
	va_list ap;
	int n;

	n = scnprintf(text, sizeof(text), "error %d: ", -err);
	va_start(ap, fmt);
	vscnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	ckpt_log_add(ctx, text);
	ckpt_event_error(ctx, err, text + n);
	ckpt_fail(ctx, err);
	return err;
}

/**
 * ckpt_refuse() - name a resource that cannot be saved
 * @ctx: the checkpoint
 * @task: who has the resource, or NULL
 * @kind: name of the kind, as in the support matrix
 * @fmt: which one it is, why it stops the checkpoint, what the user can do
 *
 * The caller goes on, so that one checkpoint reports all refusals.
 *
 * Return: 0, so that it can end a capturing function.
 */
int ckpt_refuse(struct ckpt_ctx *ctx, struct task_struct *task,
		const char *kind, const char *fmt, ...)
{
	char text[CKPT_LINE_MAX], line[CKPT_LINE_MAX + 80];
	u32 tid = task ? task_pid_vnr(task) : 0;
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ctx->refused++;
	if (task)
		scnprintf(line, sizeof(line), "refused: task %u (%s): %s: %s",
			  tid, task->comm, kind, text);
	else
		scnprintf(line, sizeof(line), "refused: %s: %s", kind, text);
	ckpt_log_add(ctx, line);
	ckpt_event_refused(ctx, tid, kind, text);
	return 0;
}

/**
 * ckpt_log_flush() - write the waiting lines
 * @ctx: the operation, outside its frozen window
 *
 * A log that cannot be written is no reason to fail.
 */
void ckpt_log_flush(struct ckpt_ctx *ctx)
{
	struct ckpt_line *line;
	struct file *file = ctx->rq.log;
	bool stream;
	LIST_HEAD(lines);

	if (!file || ctx->frozen)
		return;
	spin_lock(&ctx->lock);
	list_splice_init(&ctx->log_lines, &lines);
	spin_unlock(&ctx->lock);
	stream = file->f_mode & FMODE_STREAM;
	while ((line = list_first_entry_or_null(&lines, struct ckpt_line, node))) {
		list_del(&line->node);
		mutex_lock(&file->f_pos_lock);
		kernel_write(file, line->text, line->len,
			     stream ? NULL : &file->f_pos);
		mutex_unlock(&file->f_pos_lock);
		kfree(line);
	}
}

/**
 * ckpt_log_free() - forget lines that were never written
 * @ctx: the operation, at its end
 */
void ckpt_log_free(struct ckpt_ctx *ctx)
{
	struct ckpt_line *line, *next;

	list_for_each_entry_safe(line, next, &ctx->log_lines, node)
		kfree(line);
	INIT_LIST_HEAD(&ctx->log_lines);
}
