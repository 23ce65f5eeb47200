// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: credentials: user and group ids, supplementary groups, capability
 * sets, securebits; once for all threads that share them.
 * Refuses: credentials overridden for a moment, keys of a thread or process,
 * Landlock domains, security labels other than the caller's.
 * A restart makes each change with the rights of its caller: the kernel's own
 * calls check the ids, and the capability sets may only shrink.
 * Locks: none; credentials are immutable, a thread replaces its own.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/key.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "task.h"
#include "../arch/arch.h"
#include "../ksym.h"

#define CKPT_NGROUPS_MAX	65536

static u64 ckpt_caps(kernel_cap_t caps)
{
	u64 v;

	BUILD_BUG_ON(sizeof(caps) != sizeof(v));
	memcpy(&v, &caps, sizeof(v));
	return v;
}

static kernel_cap_t ckpt_caps_from(u64 v)
{
	kernel_cap_t caps;

	v &= (1ULL << (CAP_LAST_CAP + 1)) - 1;
	memcpy(&caps, &v, sizeof(caps));
	return caps;
}

#ifdef CONFIG_KEYS
static bool ckpt_has_keys(const struct key *keyring)
{
	return keyring && keyring->keys.nr_leaves_on_tree;
}
#endif

static void ckpt_cred_refuse(struct ckpt_ctx *ctx, struct task_struct *task,
			     const struct cred *cred)
{
	u32 secid = 0, mine = 0;

#ifdef CONFIG_KEYS
	if (ckpt_has_keys(cred->thread_keyring) || ckpt_has_keys(cred->process_keyring))
		ckpt_refuse(ctx, task, "keyring",
			    "has keys in its thread or process keyring, which cannot be taken along");
	/* every login and service has one of its own: refusing it would refuse them all */
	if (cred->session_keyring && cred->session_keyring != current_cred()->session_keyring)
		ckpt_log(ctx, "note: task %d (%s) has a session keyring of its own with %lu keys; a restart gives it the one of its caller",
			 task_pid_vnr(task), task->comm,
			 cred->session_keyring->keys.nr_leaves_on_tree);
#endif
#ifdef CONFIG_SECURITY
	/* the domain stands first in Landlock's part of the credentials */
	if (IS_ENABLED(CONFIG_SECURITY_LANDLOCK) && cred->security &&
	    *(void **)(cred->security + KD(landlock_blob_sizes)->lbs_cred))
		ckpt_refuse(ctx, task, "landlock", "is restricted by Landlock, which cannot be restored");
	security_task_getsecid_obj(task, &secid);
	security_task_getsecid_obj(current, &mine);
	if (secid != mine)
		ckpt_refuse(ctx, task, "lsm",
			    "has another security label (AppArmor, SELinux ...) than the caller, which cannot be restored");
#endif
}

int ckpt_cred_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct cred *cred = rcu_access_pointer(task->real_cred);
	bool new;

	if (cred != rcu_access_pointer(task->cred))
		return ckpt_refuse(ctx, task, "cred", "has overridden credentials");
	if (!ckpt_obj_add(ctx, (void *)cred, CKPT_OBJ_CRED, task, &new))
		return -ENOMEM;
	if (new)
		ckpt_cred_refuse(ctx, task, cred);
	return 0;
}

int ckpt_cred_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct user_namespace *ns = current_user_ns();
	const struct cred *cred = obj->ptr;
	struct group_info *gi = cred->group_info;
	struct ckpt_cred *rec;
	__le32 *groups;
	int i;

	rec = ckpt_out(ctx, CKPT_REC_CRED, obj->objref, sizeof(*rec), gi->ngroups * 4);
	if (!rec)
		return -ENOMEM;
#define CKPT_UID(name) rec->name = cpu_to_le32(from_kuid(ns, cred->name))
#define CKPT_GID(name) rec->name = cpu_to_le32(from_kgid(ns, cred->name))
	CKPT_UID(uid); CKPT_UID(euid); CKPT_UID(suid); CKPT_UID(fsuid);
	CKPT_GID(gid); CKPT_GID(egid); CKPT_GID(sgid); CKPT_GID(fsgid);
#undef CKPT_UID
#undef CKPT_GID
	rec->securebits = cpu_to_le32(cred->securebits);
	rec->ngroups = cpu_to_le32(gi->ngroups);
	rec->cap_inheritable = cpu_to_le64(ckpt_caps(cred->cap_inheritable));
	rec->cap_permitted = cpu_to_le64(ckpt_caps(cred->cap_permitted));
	rec->cap_effective = cpu_to_le64(ckpt_caps(cred->cap_effective));
	rec->cap_bset = cpu_to_le64(ckpt_caps(cred->cap_bset));
	rec->cap_ambient = cpu_to_le64(ckpt_caps(cred->cap_ambient));
	groups = (void *)(rec + 1);
	for (i = 0; i < gi->ngroups; i++)
		groups[i] = cpu_to_le32(from_kgid(ns, gi->gid[i]));
	return 0;
}

/* ---- restart ---- */

static void ckpt_cred_drop(struct ckpt_obj *obj)
{
	struct ckpt_in *in = obj->ptr;

	kvfree(in->var);
	kfree(in);
}

/* keeps a copy of the record: each thread sets its own credentials by it */
int ckpt_cred_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_cred *rec = (const void *)in->fixed;
	struct ckpt_in *copy;
	struct ckpt_obj *obj;

	if (le32_to_cpu(rec->ngroups) > CKPT_NGROUPS_MAX ||
	    in->var_len != le32_to_cpu(rec->ngroups) * 4)
		return ckpt_bad(ctx, in, "the number of its groups is out of range");
	if (le32_to_cpu(rec->securebits) & ~(SECURE_ALL_BITS | SECURE_ALL_LOCKS))
		return ckpt_bad(ctx, in, "its securebits are out of range");
	copy = kmemdup(in, sizeof(*in), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	in->var = NULL;
	in->var_len = 0;
	obj = ckpt_obj_put(ctx, copy, CKPT_OBJ_CRED, copy, ckpt_cred_drop);
	return PTR_ERR_OR_ZERO(obj);
}

static bool ckpt_cred_same_ids(struct ckpt_in *in)
{
	const struct ckpt_cred *rec = (const void *)in->fixed;
	const __le32 *groups = (const void *)in->var;
	struct user_namespace *ns = current_user_ns();
	const struct cred *cred = current_cred();
	int i;

#define CKPT_UID(name) (le32_to_cpu(rec->name) == from_kuid(ns, cred->name))
#define CKPT_GID(name) (le32_to_cpu(rec->name) == from_kgid(ns, cred->name))
	if (!CKPT_UID(uid) || !CKPT_UID(euid) || !CKPT_UID(suid) || !CKPT_UID(fsuid) ||
	    !CKPT_GID(gid) || !CKPT_GID(egid) || !CKPT_GID(sgid) || !CKPT_GID(fsgid))
		return false;
#undef CKPT_UID
#undef CKPT_GID
	if (cred->group_info->ngroups != le32_to_cpu(rec->ngroups))
		return false;
	for (i = 0; i < cred->group_info->ngroups; i++)
		if (from_kgid(ns, cred->group_info->gid[i]) != le32_to_cpu(groups[i]))
			return false;
	return true;
}

static bool ckpt_cred_same_caps(struct ckpt_in *in)
{
	const struct ckpt_cred *rec = (const void *)in->fixed;
	const struct cred *cred = current_cred();

	return cred->securebits == le32_to_cpu(rec->securebits) &&
	       ckpt_caps(cred->cap_inheritable) == le64_to_cpu(rec->cap_inheritable) &&
	       ckpt_caps(cred->cap_permitted) == le64_to_cpu(rec->cap_permitted) &&
	       ckpt_caps(cred->cap_effective) == le64_to_cpu(rec->cap_effective) &&
	       ckpt_caps(cred->cap_bset) == le64_to_cpu(rec->cap_bset) &&
	       ckpt_caps(cred->cap_ambient) == le64_to_cpu(rec->cap_ambient);
}

static int ckpt_cred_groups(struct ckpt_in *in)
{
	const struct ckpt_cred *rec = (const void *)in->fixed;
	const __le32 *groups = (const void *)in->var;
	struct user_namespace *ns = current_user_ns();
	u32 n = le32_to_cpu(rec->ngroups), i;
	struct group_info *gi;
	struct cred *new;

	gi = groups_alloc(n);
	if (!gi)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		gi->gid[i] = make_kgid(ns, le32_to_cpu(groups[i]));
		if (!gid_valid(gi->gid[i])) {
			put_group_info(gi);
			return -EINVAL;
		}
	}
	groups_sort(gi);
	new = prepare_creds();
	if (!new) {
		put_group_info(gi);
		return -ENOMEM;
	}
	set_groups(new, gi);
	put_group_info(gi);
	return commit_creds(new);
}

/* after the ids, with the sets of before: each may only lose */
static int ckpt_cred_caps(struct ckpt_in *in, const struct cred *old)
{
	const struct ckpt_cred *rec = (const void *)in->fixed;
	u64 inheritable = le64_to_cpu(rec->cap_inheritable);
	u64 permitted = le64_to_cpu(rec->cap_permitted);
	u64 effective = le64_to_cpu(rec->cap_effective);
	u64 bset = le64_to_cpu(rec->cap_bset);
	u64 ambient = le64_to_cpu(rec->cap_ambient);
	struct cred *new;

	if (permitted & ~ckpt_caps(old->cap_permitted) || effective & ~permitted ||
	    bset & ~ckpt_caps(old->cap_bset) ||
	    inheritable & ~(ckpt_caps(old->cap_inheritable) | ckpt_caps(old->cap_bset)) ||
	    inheritable & ~(ckpt_caps(old->cap_inheritable) | ckpt_caps(old->cap_permitted)) ||
	    ambient & ~(permitted & inheritable))
		return -EPERM;
	/* locks and restrictions that hold for the caller hold on */
	if ((old->securebits & SECURE_ALL_LOCKS) & ~le32_to_cpu(rec->securebits) ||
	    ((old->securebits & SECURE_ALL_LOCKS) >> 1) &
	    (old->securebits ^ le32_to_cpu(rec->securebits)))
		return -EPERM;
	new = prepare_creds();
	if (!new)
		return -ENOMEM;
	new->cap_inheritable = ckpt_caps_from(inheritable);
	new->cap_permitted = ckpt_caps_from(permitted);
	new->cap_effective = ckpt_caps_from(effective);
	new->cap_bset = ckpt_caps_from(bset);
	new->cap_ambient = ckpt_caps_from(ambient);
	new->securebits = le32_to_cpu(rec->securebits);
	return commit_creds(new);
}

/* keeps the capabilities over the change of ids; ckpt_cred_caps() sets all again */
static int ckpt_cred_keep_caps(void)
{
	struct cred *new = prepare_creds();

	if (!new)
		return -ENOMEM;
	new->securebits |= issecure_mask(SECURE_NO_SETUID_FIXUP) | issecure_mask(SECURE_KEEP_CAPS);
	return commit_creds(new);
}

/**
 * ckpt_cred_set() - give the current thread its credentials
 * @ctx: the restart
 * @in: the record that refers to them
 * @ref: their objref
 *
 * Return: 0 or a negative errno: -EPERM where the caller of the restart could
 * not have had them.
 */
int ckpt_cred_set(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_CRED);
	const struct ckpt_cred *rec;
	const struct cred *old;
	int err;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	in = obj->ptr;
	rec = (const void *)in->fixed;
	if (ckpt_cred_same_ids(in)) {
		if (ckpt_cred_same_caps(in))
			return 0;
		/* capabilities are given up without any right, these are not */
		err = -EPERM;
		if ((current_cred()->securebits == le32_to_cpu(rec->securebits) &&
		     ckpt_caps(current_cred()->cap_bset) == le64_to_cpu(rec->cap_bset)) ||
		    ns_capable(current_user_ns(), CAP_SETPCAP))
			err = ckpt_cred_caps(in, current_cred());
		goto out;
	}
	/*
	 * Changing anything at all takes what setting it by hand would: the
	 * calls below check the ids, these the groups and the securebits.
	 */
	if (!ns_capable(current_user_ns(), CAP_SETPCAP) ||
	    !ns_capable(current_user_ns(), CAP_SETGID) ||
	    !ns_capable(current_user_ns(), CAP_SETUID))
		return ckpt_err(ctx, -EPERM, "the program ran with other credentials than the caller has; restoring them needs CAP_SETUID, CAP_SETGID and CAP_SETPCAP");
	old = get_current_cred();
	err = ckpt_cred_groups(in);
	if (!err)
		err = ckpt_cred_keep_caps();
	if (!err)
		err = ckpt_arch_syscall(__NR_setresgid, le32_to_cpu(rec->gid),
					le32_to_cpu(rec->egid), le32_to_cpu(rec->sgid), 0, 0, 0);
	if (!err) {
		ckpt_arch_syscall(__NR_setfsgid, le32_to_cpu(rec->fsgid), 0, 0, 0, 0, 0);
		err = ckpt_arch_syscall(__NR_setresuid, le32_to_cpu(rec->uid),
					le32_to_cpu(rec->euid), le32_to_cpu(rec->suid), 0, 0, 0);
	}
	if (!err) {
		ckpt_arch_syscall(__NR_setfsuid, le32_to_cpu(rec->fsuid), 0, 0, 0, 0, 0);
		err = ckpt_cred_caps(in, old);
	}
	put_cred(old);
out:
	if (!err && !(ckpt_cred_same_ids(in) && ckpt_cred_same_caps(in)))
		err = -EPERM;
	if (err)
		return ckpt_err(ctx, err, "the caller of the restart may not give the program the credentials that it had (uid %u)",
				le32_to_cpu(rec->uid));
	return 0;
}
