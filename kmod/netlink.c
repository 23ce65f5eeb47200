// SPDX-License-Identifier: GPL-2.0-only
/*
 * The genl family "ckpt": turns messages into calls and results into messages.
 * Handlers are short: a sleeping one would hold up every other genl user.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/pid.h>
#include <linux/sched/task.h>
#include <linux/utsname.h>
#include <generated/utsrelease.h>
#include <net/genetlink.h>

#include "private.h"
#include "ksym.h"

static const struct nla_policy ckpt_policy[CKPT_A_MAX + 1] = {
	[CKPT_A_PID]		= NLA_POLICY_MIN(NLA_U32, 1),
	[CKPT_A_CGROUP_FD]	= { .type = NLA_U32 },
	[CKPT_A_IMAGE_FD]	= { .type = NLA_U32 },
	[CKPT_A_LOG_FD]		= { .type = NLA_U32 },
	[CKPT_A_FLAGS]		= NLA_POLICY_MASK(NLA_U32, CKPT_F_ALL),
	[CKPT_A_TIMEOUT_MS]	= { .type = NLA_U32 },
	[CKPT_A_SESSION_FD]	= { .type = NLA_U32 },
	[CKPT_A_STREAM_POS]	= { .type = NLA_U64 },
	[CKPT_A_STREAM_CRC]	= { .type = NLA_U32 },
	[CKPT_A_TASKS]		= NLA_POLICY_RANGE(NLA_U32, 1, 32767),
	[CKPT_A_UNLINKED_MAX]	= { .type = NLA_U64 },
	[CKPT_A_ALLOW_LEAK]	= { .type = NLA_NUL_STRING, .len = 32 },
	[CKPT_A_INHERIT]	= { .type = NLA_NESTED },
};

static struct genl_family ckpt_family;

#define CKPT_TIMEOUT_MAX	(3600 * 1000u)

static bool ckpt_userns;
module_param_named(userns, ckpt_userns, bool, 0644);
MODULE_PARM_DESC(userns, "also serve callers whose capability is of a user namespace of their own");

/*
 * Everybody may make a user namespace and have all capabilities in it: without
 * the parameter only those of the initial one count.
 */
static int ckpt_may(struct sk_buff *skb, struct genl_info *info)
{
	struct user_namespace *ns = READ_ONCE(ckpt_userns) ? current_user_ns() : &init_user_ns;

	if (netlink_ns_capable(skb, ns, CAP_SYS_ADMIN) ||
	    netlink_ns_capable(skb, ns, CAP_CHECKPOINT_RESTORE))
		return 0;
	GENL_SET_ERR_MSG(info, "needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN");
	return -EPERM;
}

static int ckpt_get_file(struct genl_info *info, int attr, fmode_t mode,
			 struct file **file)
{
	if (!info->attrs[attr])
		return 0;
	*file = fget(nla_get_u32(info->attrs[attr]));
	if (!*file) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr],
				    "no such file descriptor");
		return -EBADF;
	}
	if (((*file)->f_mode & mode) == mode &&
	    ((mode & FMODE_WRITE) ? !!(*file)->f_op->write_iter :
				    !!(*file)->f_op->read_iter))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr],
			    "the file descriptor is of the wrong kind or mode");
	return -EINVAL;
}

static int ckpt_reply_fd(struct genl_info *info, int fd)
{
	struct sk_buff *skb;
	void *hdr;

	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put_reply(skb, info, &ckpt_family, 0, info->genlhdr->cmd);
	if (!hdr || nla_put_u32(skb, CKPT_A_SESSION_FD, fd)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* CKPT_A_ALLOW_LEAK and CKPT_A_INHERIT may come any number of times, up to this */
#define CKPT_REPEAT_MAX	256

static const struct nla_policy ckpt_inherit_policy[CKPT_I_MAX + 1] = {
	[CKPT_I_OBJREF]	= NLA_POLICY_MIN(NLA_U32, 1),
	[CKPT_I_FD]	= { .type = NLA_U32 },
};

static unsigned int ckpt_count(struct genl_info *info, int type)
{
	struct nlattr *attr;
	unsigned int n = 0;
	int rem;

	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem)
		n += nla_type(attr) == type;
	return n;
}

static int ckpt_get_leaks(struct genl_info *info, struct ckpt_request *rq)
{
	unsigned int n = ckpt_count(info, CKPT_A_ALLOW_LEAK);
	struct nlattr *attr;
	int rem;

	if (!n)
		return 0;
	if (n > CKPT_REPEAT_MAX)
		return -E2BIG;
	rq->leaks = kcalloc(n, sizeof(*rq->leaks), GFP_KERNEL);
	if (!rq->leaks)
		return -ENOMEM;
	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem)
		if (nla_type(attr) == CKPT_A_ALLOW_LEAK && rq->nleaks < n)
			nla_strscpy(rq->leaks[rq->nleaks++], attr, CKPT_LEAK_NAME);
	return 0;
}

static int ckpt_get_inherit_one(struct genl_info *info, struct nlattr *attr,
				struct ckpt_given *inherit)
{
	struct nlattr *tb[CKPT_I_MAX + 1];
	int err;

	err = nla_parse_nested(tb, CKPT_I_MAX, attr, ckpt_inherit_policy, info->extack);
	if (err)
		return err;
	if (!tb[CKPT_I_OBJREF] || !tb[CKPT_I_FD]) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "CKPT_I_OBJREF or CKPT_I_FD is missing");
		return -EINVAL;
	}
	inherit->objref = nla_get_u32(tb[CKPT_I_OBJREF]);
	inherit->file = fget(nla_get_u32(tb[CKPT_I_FD]));
	if (!inherit->file) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "no such file descriptor");
		return -EBADF;
	}
	return 0;
}

static int ckpt_get_inherit(struct genl_info *info, struct ckpt_request *rq)
{
	unsigned int n = ckpt_count(info, CKPT_A_INHERIT);
	struct nlattr *attr;
	int rem, err;

	if (!n)
		return 0;
	if (n > CKPT_REPEAT_MAX)
		return -E2BIG;
	rq->inherit = kcalloc(n, sizeof(*rq->inherit), GFP_KERNEL);
	if (!rq->inherit)
		return -ENOMEM;
	nla_for_each_attr(attr, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem) {
		if (nla_type(attr) != CKPT_A_INHERIT || rq->ninherit == n)
			continue;
		err = ckpt_get_inherit_one(info, attr, &rq->inherit[rq->ninherit]);
		if (err)
			return err;
		rq->ninherit++;
	}
	return 0;
}

static int ckpt_start(struct ckpt_request *rq, struct genl_info *info,
		      bool restart)
{
	struct ckpt_ctx *ctx;
	int fd;

	if (current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return -EINVAL;
	if (info->attrs[CKPT_A_FLAGS])
		rq->flags = nla_get_u32(info->attrs[CKPT_A_FLAGS]);
	if (info->attrs[CKPT_A_TIMEOUT_MS])
		rq->timeout_ms = min(nla_get_u32(info->attrs[CKPT_A_TIMEOUT_MS]),
				     CKPT_TIMEOUT_MAX);
	if (info->attrs[CKPT_A_UNLINKED_MAX])
		rq->unlinked_max = nla_get_u64(info->attrs[CKPT_A_UNLINKED_MAX]);
	rq->net = genl_info_net(info);
	rq->portid = info->snd_portid;
	ctx = ckpt_session_start(rq, restart, &fd);
	memset(rq, 0, sizeof(*rq));
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	/* without the answer the caller finds its session in no way: end it */
	return ckpt_reply_fd(info, fd);
}

static int ckpt_nl_checkpoint(struct sk_buff *skb, struct genl_info *info)
{
	struct ckpt_request rq = {};
	int err;

	err = ckpt_may(skb, info);
	if (err)
		return err;
	if (info->attrs[CKPT_A_PID]) {
		rcu_read_lock();
		rq.root = K(find_task_by_vpid)(nla_get_u32(info->attrs[CKPT_A_PID]));
		if (rq.root)
			rq.root = get_task_struct(rq.root->group_leader);
		rcu_read_unlock();
		if (!rq.root) {
			NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[CKPT_A_PID],
					    "no such process");
			return -ESRCH;
		}
	} else if (info->attrs[CKPT_A_CGROUP_FD]) {
		GENL_SET_ERR_MSG(info, "checkpoint of a cgroup is not supported by this module; name a process with --pid");
		return -EOPNOTSUPP;
	}
	if (!rq.root) {
		GENL_SET_ERR_MSG(info, "CKPT_A_PID is missing");
		return -EINVAL;
	}
	err = ckpt_get_file(info, CKPT_A_IMAGE_FD, FMODE_WRITE, &rq.image);
	if (!err)
		err = ckpt_get_file(info, CKPT_A_LOG_FD, FMODE_WRITE, &rq.log);
	if (!err && !rq.image &&
	    !(info->attrs[CKPT_A_FLAGS] &&
	      nla_get_u32(info->attrs[CKPT_A_FLAGS]) & CKPT_F_CHECK)) {
		GENL_SET_ERR_MSG(info, "CKPT_A_IMAGE_FD is missing");
		err = -EINVAL;
	}
	if (!err)
		err = ckpt_get_leaks(info, &rq);
	if (!err)
		err = ckpt_start(&rq, info, false);
	ckpt_request_put(&rq);
	return err;
}

static int ckpt_nl_restart(struct sk_buff *skb, struct genl_info *info)
{
	struct ckpt_request rq = {};
	int err;

	err = ckpt_may(skb, info);
	if (err)
		return err;
	if (!info->attrs[CKPT_A_IMAGE_FD] || !info->attrs[CKPT_A_STREAM_POS] ||
	    !info->attrs[CKPT_A_STREAM_CRC] || !info->attrs[CKPT_A_TASKS]) {
		GENL_SET_ERR_MSG(info, "CKPT_A_IMAGE_FD, STREAM_POS, STREAM_CRC or TASKS is missing");
		return -EINVAL;
	}
	rq.stream_pos = nla_get_u64(info->attrs[CKPT_A_STREAM_POS]);
	rq.stream_crc = nla_get_u32(info->attrs[CKPT_A_STREAM_CRC]);
	rq.ntasks = nla_get_u32(info->attrs[CKPT_A_TASKS]);
	if (rq.stream_pos % CKPT_ALIGN || rq.stream_pos > S64_MAX / 2) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[CKPT_A_STREAM_POS],
				    "not a position between two records");
		return -EINVAL;
	}
	err = ckpt_get_file(info, CKPT_A_IMAGE_FD, FMODE_READ, &rq.image);
	if (!err)
		err = ckpt_get_file(info, CKPT_A_LOG_FD, FMODE_WRITE, &rq.log);
	if (!err)
		err = ckpt_get_inherit(info, &rq);
	if (!err)
		err = ckpt_start(&rq, info, true);
	ckpt_request_put(&rq);
	return err;
}

static int ckpt_nl_join(struct sk_buff *skb, struct genl_info *info)
{
	struct ckpt_ctx *ctx;
	int err;

	err = ckpt_may(skb, info);
	if (err)
		return err;
	if (!info->attrs[CKPT_A_SESSION_FD] || !info->attrs[CKPT_A_PID]) {
		GENL_SET_ERR_MSG(info, "CKPT_A_SESSION_FD or CKPT_A_PID is missing");
		return -EINVAL;
	}
	ctx = ckpt_session_get(nla_get_u32(info->attrs[CKPT_A_SESSION_FD]));
	if (IS_ERR(ctx)) {
		GENL_SET_ERR_MSG(info, "CKPT_A_SESSION_FD is not a session");
		return PTR_ERR(ctx);
	}
	err = ckpt_join(ctx, nla_get_u32(info->attrs[CKPT_A_PID]));
	ckpt_ctx_put(ctx);
	return err;
}

static int ckpt_put_stats(struct sk_buff *skb, const struct ckpt_stats *s)
{
	struct nlattr *nest = nla_nest_start(skb, CKPT_A_STATS);

	if (!nest ||
	    nla_put_u64_64bit(skb, CKPT_S_FROZEN_NS, s->frozen_ns, CKPT_S_PAD) ||
	    nla_put_u64_64bit(skb, CKPT_S_TOTAL_NS, s->total_ns, CKPT_S_PAD) ||
	    nla_put_u64_64bit(skb, CKPT_S_BYTES, s->bytes, CKPT_S_PAD) ||
	    nla_put_u64_64bit(skb, CKPT_S_TASKS, s->tasks, CKPT_S_PAD) ||
	    nla_put_u64_64bit(skb, CKPT_S_THREADS, s->threads, CKPT_S_PAD) ||
	    nla_put_u64_64bit(skb, CKPT_S_PAGES, s->pages, CKPT_S_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int ckpt_nl_status(struct sk_buff *skb, struct genl_info *info)
{
	struct ckpt_stats stats;
	struct sk_buff *msg;
	int state, result, err;
	void *hdr;

	err = ckpt_may(skb, info);
	if (err)
		return err;
	if (!info->attrs[CKPT_A_SESSION_FD]) {
		GENL_SET_ERR_MSG(info, "CKPT_A_SESSION_FD is missing");
		return -EINVAL;
	}
	err = ckpt_session_status(nla_get_u32(info->attrs[CKPT_A_SESSION_FD]),
				  &state, &result, &stats);
	if (err) {
		GENL_SET_ERR_MSG(info, "CKPT_A_SESSION_FD is not a session");
		return err;
	}
	msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &ckpt_family, 0, CKPT_CMD_STATUS);
	if (!hdr || nla_put_u32(msg, CKPT_A_STATE, state) ||
	    nla_put_s32(msg, CKPT_A_ERRNO, result) || ckpt_put_stats(msg, &stats)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int ckpt_nl_caps(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct ckpt_kind *kind;
	void *hdr;

	/* message 0 is the module, message i the kind i - 1 */
	for (;; cb->args[0]++) {
		kind = NULL;
		if (cb->args[0]) {
			kind = ckpt_kind(cb->args[0] - 1);
			if (!kind)
				return skb->len;
		}
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				  &ckpt_family, NLM_F_MULTI, CKPT_CMD_CAPS);
		if (!hdr)
			return skb->len;
		if (kind ?
		    nla_put_string(skb, CKPT_A_KIND_NAME, kind->name) ||
		    nla_put_u32(skb, CKPT_A_KIND_STATUS, kind->status) ||
		    nla_put_string(skb, CKPT_A_KIND_TEXT, kind->text) :
		    nla_put_string(skb, CKPT_A_VERSION, CKPT_VERSION) ||
		    nla_put_u32(skb, CKPT_A_IMAGE_VERSION, CKPT_IMAGE_VERSION) ||
		    nla_put_string(skb, CKPT_A_KERNEL, UTS_RELEASE) ||
		    nla_put_u32(skb, CKPT_A_SYMBOLS, ckpt_ksym_count())) {
			genlmsg_cancel(skb, hdr);
			return skb->len;
		}
		genlmsg_end(skb, hdr);
	}
}

static const struct genl_ops ckpt_ops[] = {
	{ .cmd = CKPT_CMD_CAPS, .dumpit = ckpt_nl_caps },
	{ .cmd = CKPT_CMD_CHECKPOINT, .doit = ckpt_nl_checkpoint },
	{ .cmd = CKPT_CMD_RESTART, .doit = ckpt_nl_restart },
	{ .cmd = CKPT_CMD_JOIN, .doit = ckpt_nl_join },
	{ .cmd = CKPT_CMD_STATUS, .doit = ckpt_nl_status },
};

static struct genl_family ckpt_family = {
	.name = CKPT_GENL_NAME,
	.version = CKPT_GENL_VERSION,
	.module = THIS_MODULE,
	.maxattr = CKPT_A_MAX,
	.policy = ckpt_policy,
	.netnsok = true,
	.parallel_ops = true,
	.ops = ckpt_ops,
	.n_ops = ARRAY_SIZE(ckpt_ops),
	.resv_start_op = CKPT_CMD_MAX + 1,
};

/* ---- events ---- */

static struct sk_buff *ckpt_event(struct ckpt_ctx *ctx, u32 event, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put(skb, 0, 0, &ckpt_family, 0, CKPT_CMD_EVENT);
	if (!*hdr || nla_put_u32(skb, CKPT_A_EVENT, event)) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

/* a full socket loses an event; STATUS tells the result all the same */
static void ckpt_event_send(struct ckpt_ctx *ctx, struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
	genlmsg_unicast(ctx->rq.net, skb, ctx->rq.portid);
}

void ckpt_event_phase(struct ckpt_ctx *ctx, const char *phase)
{
	struct sk_buff *skb;
	void *hdr;

	skb = ckpt_event(ctx, CKPT_EVENT_PHASE, &hdr);
	if (!skb)
		return;
	if (nla_put_string(skb, CKPT_A_PHASE, phase))
		return nlmsg_free(skb);
	ckpt_event_send(ctx, skb, hdr);
}

void ckpt_event_refused(struct ckpt_ctx *ctx, u32 tid, const char *kind,
			const char *msg)
{
	struct sk_buff *skb;
	void *hdr;

	skb = ckpt_event(ctx, CKPT_EVENT_REFUSED, &hdr);
	if (!skb)
		return;
	if (nla_put_u32(skb, CKPT_A_TID, tid) ||
	    nla_put_string(skb, CKPT_A_KIND_NAME, kind) ||
	    nla_put_string(skb, CKPT_A_MESSAGE, msg))
		return nlmsg_free(skb);
	ckpt_event_send(ctx, skb, hdr);
}

void ckpt_event_error(struct ckpt_ctx *ctx, int err, const char *msg)
{
	struct sk_buff *skb;
	void *hdr;

	skb = ckpt_event(ctx, CKPT_EVENT_ERROR, &hdr);
	if (!skb)
		return;
	if (nla_put_s32(skb, CKPT_A_ERRNO, err) ||
	    nla_put_string(skb, CKPT_A_MESSAGE, msg))
		return nlmsg_free(skb);
	ckpt_event_send(ctx, skb, hdr);
}

void ckpt_event_done(struct ckpt_ctx *ctx)
{
	struct sk_buff *skb;
	void *hdr;

	skb = ckpt_event(ctx, CKPT_EVENT_DONE, &hdr);
	if (!skb)
		return;
	if (nla_put_s32(skb, CKPT_A_ERRNO, ctx->err) ||
	    ckpt_put_stats(skb, &ctx->stats))
		return nlmsg_free(skb);
	ckpt_event_send(ctx, skb, hdr);
}

int __init ckpt_netlink_init(void)
{
	return genl_register_family(&ckpt_family);
}

void ckpt_netlink_exit(void)
{
	genl_unregister_family(&ckpt_family);
}
