// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that several tasks may share: each is saved once and gets a number,
 * its objref. A checkpoint finds them by address and counts how many users it
 * met, so that users outside the tree can be told; a restart finds them by
 * objref.
 *
 * A checkpoint's objects hold no reference of their own unless they have a
 * drop function: the parked tasks keep them alive. What outlives the window
 * (address spaces, shared memory) does take one.
 */
#include <linux/slab.h>

#include "private.h"

struct ckpt_obj_key {
	const void *ptr;
	unsigned long type;
};

static u32 ckpt_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct ckpt_obj_key *key = data;

	return jhash2((const u32 *)key, sizeof(*key) / 4, seed);
}

static u32 ckpt_obj_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct ckpt_obj *obj = data;
	struct ckpt_obj_key key = { obj->ptr, obj->type };

	return ckpt_obj_hash(&key, 0, seed);
}

static int ckpt_obj_cmp(struct rhashtable_compare_arg *arg, const void *data)
{
	const struct ckpt_obj_key *key = arg->key;
	const struct ckpt_obj *obj = data;

	return obj->ptr != key->ptr || obj->type != key->type;
}

static const struct rhashtable_params ckpt_obj_params = {
	.head_offset = offsetof(struct ckpt_obj, hash),
	.key_len = sizeof(struct ckpt_obj_key),
	.hashfn = ckpt_obj_hash,
	.obj_hashfn = ckpt_obj_obj_hash,
	.obj_cmpfn = ckpt_obj_cmp,
	.automatic_shrinking = false,
};

/**
 * ckpt_objhash_init() - make the tables of an operation
 * @ctx: the operation
 *
 * Return: 0 or a negative errno.
 */
int ckpt_objhash_init(struct ckpt_ctx *ctx)
{
	int err = 0;

	INIT_LIST_HEAD(&ctx->obj_list);
	xa_init(&ctx->refs_xa);
	xa_init(&ctx->anons);
	if (!ctx->restart)
		err = rhashtable_init(&ctx->objs, &ckpt_obj_params);
	ctx->objs_ready = !err;
	return err;
}

/**
 * ckpt_objhash_free() - drop all objects, newest first
 * @ctx: the operation
 */
void ckpt_objhash_free(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj, *prev;

	if (!ctx->objs_ready)
		return;
	list_for_each_entry_safe_reverse(obj, prev, &ctx->obj_list, node) {
		if (obj->drop)
			obj->drop(obj);
		list_del(&obj->node);
		if (!ctx->restart)
			rhashtable_remove_fast(&ctx->objs, &obj->hash,
					       ckpt_obj_params);
		kfree(obj);
		cond_resched();
	}
	if (!ctx->restart)
		rhashtable_destroy(&ctx->objs);
	xa_destroy(&ctx->refs_xa);
	ctx->last_objref = 0;
	ctx->objs_ready = false;
}

/**
 * ckpt_obj_find() - look an object up by its address
 * @ctx: the checkpoint
 * @ptr: address
 * @type: what it is
 *
 * Return: the object, or NULL.
 */
struct ckpt_obj *ckpt_obj_find(struct ckpt_ctx *ctx, const void *ptr,
			       enum ckpt_obj_type type)
{
	struct ckpt_obj_key key = { ptr, type };

	return rhashtable_lookup_fast(&ctx->objs, &key, ckpt_obj_params);
}

/**
 * ckpt_obj_add() - find an object by its address, or make it known
 * @ctx: the checkpoint
 * @ptr: address; must stay valid until the objhash is freed
 * @type: what it is
 * @task: who has it, for messages
 * @new: set to whether it was not known before; may be NULL
 *
 * Counts one user.
 *
 * Return: the object, or NULL without memory.
 */
struct ckpt_obj *ckpt_obj_add(struct ckpt_ctx *ctx, void *ptr,
			      enum ckpt_obj_type type,
			      struct task_struct *task, bool *new)
{
	struct ckpt_obj *obj = ckpt_obj_find(ctx, ptr, type);

	if (new)
		*new = !obj;
	if (obj) {
		obj->users++;
		return obj;
	}
	obj = kzalloc(sizeof(*obj), GFP_KERNEL);
	if (!obj)
		return NULL;
	obj->ptr = ptr;
	obj->type = type;
	obj->users = 1;
	obj->task = task;
	if (rhashtable_insert_fast(&ctx->objs, &obj->hash, ckpt_obj_params)) {
		kfree(obj);
		return NULL;
	}
	obj->objref = ++ctx->last_objref;
	list_add_tail(&obj->node, &ctx->obj_list);
	return obj;
}

/**
 * ckpt_obj_put() - make an object of the image known
 * @ctx: the restart
 * @in: the record that defines it
 * @type: what it is
 * @ptr: the object, one reference of which is taken over
 * @drop: releases @ptr, called at the end or on failure here
 *
 * Return: the object, or an ERR_PTR after logging why.
 */
struct ckpt_obj *ckpt_obj_put(struct ckpt_ctx *ctx, const struct ckpt_in *in,
			      enum ckpt_obj_type type, void *ptr,
			      void (*drop)(struct ckpt_obj *obj))
{
	struct ckpt_obj *obj;
	int err;

	obj = kzalloc(sizeof(*obj), GFP_KERNEL);
	if (!obj) {
		struct ckpt_obj tmp = { .ptr = ptr };

		if (drop)
			drop(&tmp);
		return ERR_PTR(-ENOMEM);
	}
	obj->ptr = ptr;
	obj->type = type;
	obj->objref = in->objref;
	obj->drop = drop;
	if (!in->objref)
		err = ckpt_bad(ctx, in, "an object without an objref");
	else
		err = xa_insert(&ctx->refs_xa, in->objref, obj, GFP_KERNEL);
	if (err) {
		if (err == -EBUSY)
			err = ckpt_bad(ctx, in, "its objref is already defined");
		if (drop)
			drop(obj);
		kfree(obj);
		return ERR_PTR(err);
	}
	list_add_tail(&obj->node, &ctx->obj_list);
	return obj;
}

/**
 * ckpt_obj_get() - find an object of the image
 * @ctx: the restart
 * @in: the record that refers to it
 * @objref: its number
 * @type: what it must be
 *
 * Return: the object, whose reference stays with the objhash, or an ERR_PTR
 * after logging what is wrong.
 */
struct ckpt_obj *ckpt_obj_get(struct ckpt_ctx *ctx, const struct ckpt_in *in,
			      u32 objref, enum ckpt_obj_type type)
{
	struct ckpt_obj *obj = xa_load(&ctx->refs_xa, objref);

	if (!obj)
		return ERR_PTR(ckpt_bad(ctx, in, "refers to an object that is not defined"));
	if (obj->type != type)
		return ERR_PTR(ckpt_bad(ctx, in, "refers to an object of another type"));
	return obj;
}
