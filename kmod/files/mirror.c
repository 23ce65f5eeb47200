// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares the structures of mirror.h with BTF, the type information that a
 * kernel carries about itself.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/module.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"

#ifdef CONFIG_DEBUG_INFO_BTF

#define FIELD(s, m, f) { #s, #f, offsetof(struct m, f) }

struct ckpt_mirror_field {
	const char *type, *field;
	unsigned int offset;
};

static const struct ckpt_mirror_field ckpt_mirror_fields[] __initconst = {
	FIELD(eventfd_ctx, ckpt_m_eventfd_ctx, wqh),
	FIELD(eventfd_ctx, ckpt_m_eventfd_ctx, count),
	FIELD(eventfd_ctx, ckpt_m_eventfd_ctx, flags),
	FIELD(signalfd_ctx, ckpt_m_signalfd_ctx, sigmask),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, t),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, tintv),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, moffs),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, wqh),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, ticks),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, clockid),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, expired),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, settime_flags),
	FIELD(timerfd_ctx, ckpt_m_timerfd_ctx, might_cancel),
	FIELD(epoll_filefd, ckpt_m_filefd, file),
	FIELD(epoll_filefd, ckpt_m_filefd, fd),
	FIELD(eppoll_entry, ckpt_m_pwq, next),
	FIELD(eppoll_entry, ckpt_m_pwq, whead),
	FIELD(epitem, ckpt_m_epitem, rdllink),
	FIELD(epitem, ckpt_m_epitem, ffd),
	FIELD(epitem, ckpt_m_epitem, pwqlist),
	FIELD(epitem, ckpt_m_epitem, ws),
	FIELD(epitem, ckpt_m_epitem, event),
	FIELD(eventpoll, ckpt_m_eventpoll, mtx),
	FIELD(eventpoll, ckpt_m_eventpoll, rdllist),
	FIELD(eventpoll, ckpt_m_eventpoll, lock),
	FIELD(eventpoll, ckpt_m_eventpoll, rbr),
	FIELD(inotify_event_info, ckpt_m_inotify_event, mask),
	FIELD(inotify_event_info, ckpt_m_inotify_event, wd),
	FIELD(inotify_event_info, ckpt_m_inotify_event, sync_cookie),
	FIELD(inotify_event_info, ckpt_m_inotify_event, name_len),
	FIELD(inotify_event_info, ckpt_m_inotify_event, name),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_perm),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_file),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_nattch),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_segsz),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_atim),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_dtim),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_ctim),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_cprid),
	FIELD(shmid_kernel, ckpt_m_shmid, shm_lprid),
	FIELD(shm_file_data, ckpt_m_shm_file, id),
	FIELD(shm_file_data, ckpt_m_shm_file, ns),
	FIELD(inotify_inode_mark, ckpt_m_inotify_mark, wd),
	FIELD(n_tty_data, ckpt_m_n_tty, read_head),
	FIELD(n_tty_data, ckpt_m_n_tty, commit_head),
	FIELD(n_tty_data, ckpt_m_n_tty, canon_head),
	FIELD(n_tty_data, ckpt_m_n_tty, echo_head),
	FIELD(n_tty_data, ckpt_m_n_tty, echo_commit),
	FIELD(n_tty_data, ckpt_m_n_tty, echo_mark),
	FIELD(n_tty_data, ckpt_m_n_tty, no_room),
	FIELD(n_tty_data, ckpt_m_n_tty, read_buf),
	FIELD(n_tty_data, ckpt_m_n_tty, read_flags),
	FIELD(n_tty_data, ckpt_m_n_tty, echo_buf),
	FIELD(n_tty_data, ckpt_m_n_tty, read_tail),
	FIELD(n_tty_data, ckpt_m_n_tty, line_start),
	FIELD(n_tty_data, ckpt_m_n_tty, lookahead_count),
	FIELD(n_tty_data, ckpt_m_n_tty, column),
	FIELD(n_tty_data, ckpt_m_n_tty, canon_column),
	FIELD(n_tty_data, ckpt_m_n_tty, echo_tail),
	FIELD(sem_undo_list, ckpt_m_undo_list, refcnt),
	FIELD(sem_undo_list, ckpt_m_undo_list, lock),
	FIELD(sem_undo_list, ckpt_m_undo_list, list_proc),
	FIELD(sem_undo, ckpt_m_undo, list_proc),
	FIELD(sem_undo, ckpt_m_undo, semid),
	FIELD(sem_undo, ckpt_m_undo, semadj),
	FIELD(sem, ckpt_m_sem, semval),
	FIELD(sem_array, ckpt_m_sem_array, sem_perm),
	FIELD(sem_array, ckpt_m_sem_array, sem_nsems),
	FIELD(sem_array, ckpt_m_sem_array, sems),
	FIELD(posix_msg_tree_node, ckpt_m_mq_node, msg_list),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, lock),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, vfs_inode),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, msg_tree),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, attr),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, notify),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, notify_owner),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, notify_self_exec_id),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, notify_user_ns),
	FIELD(mqueue_inode_info, ckpt_m_mqueue, qsize),
	FIELD(kioctx, ckpt_m_kioctx, reqs),
	FIELD(kioctx, ckpt_m_kioctx, user_id),
	FIELD(kioctx, ckpt_m_kioctx, max_reqs),
	FIELD(kioctx, ckpt_m_kioctx, nr_events),
	FIELD(kioctx, ckpt_m_kioctx, mmap_base),
	FIELD(kioctx, ckpt_m_kioctx, mmap_size),
	FIELD(kioctx, ckpt_m_kioctx, reqs_available),
	FIELD(kioctx, ckpt_m_kioctx, ctx_lock),
	FIELD(kioctx, ckpt_m_kioctx, active_reqs),
	FIELD(kioctx, ckpt_m_kioctx, tail),
	FIELD(kioctx, ckpt_m_kioctx, completed_events),
	FIELD(kioctx, ckpt_m_kioctx, completion_lock),
	FIELD(netlink_sock, ckpt_m_netlink_sock, sk),
	FIELD(netlink_sock, ckpt_m_netlink_sock, flags),
	FIELD(netlink_sock, ckpt_m_netlink_sock, portid),
	FIELD(netlink_sock, ckpt_m_netlink_sock, dst_portid),
	FIELD(netlink_sock, ckpt_m_netlink_sock, dst_group),
	FIELD(netlink_sock, ckpt_m_netlink_sock, ngroups),
	FIELD(netlink_sock, ckpt_m_netlink_sock, groups),
	FIELD(netlink_sock, ckpt_m_netlink_sock, state),
	FIELD(netlink_sock, ckpt_m_netlink_sock, bound),
	FIELD(netlink_sock, ckpt_m_netlink_sock, cb_running),
};

static int __init ckpt_mirror_member(const struct btf *btf, const struct btf_type *type,
				     const char *field)
{
	const struct btf_member *member;
	const char *name;
	unsigned int i;

	for_each_member(i, type, member) {
		name = K(btf_name_by_offset)(btf, member->name_off);
		if (name && !strcmp(name, field))
			return __btf_member_bit_offset(type, member) / 8;
	}
	return -ENOENT;
}

static int __init ckpt_mirror_offset(const struct btf *btf,
				     const struct ckpt_mirror_field *f)
{
	const struct btf_type *type, *inner;
	const struct btf_member *member;
	unsigned int i;
	int offset;
	s32 id;

	id = K(btf_find_by_name_kind)(btf, f->type, BTF_KIND_STRUCT);
	if (id < 0)
		return -ENOENT;
	type = btf_type_by_id(btf, id);
	offset = ckpt_mirror_member(btf, type, f->field);
	if (offset >= 0)
		return offset;
	/* structures without a name are looked into */
	for_each_member(i, type, member) {
		inner = btf_type_by_id(btf, member->type);
		if (member->name_off || BTF_INFO_KIND(inner->info) != BTF_KIND_STRUCT)
			continue;
		offset = ckpt_mirror_member(btf, inner, f->field);
		if (offset >= 0)
			return __btf_member_bit_offset(type, member) / 8 + offset;
	}
	return -ENOENT;
}

/**
 * ckpt_mirror_init() - make sure that mirror.h fits this kernel
 *
 * Return: 0, or -ENOEXEC after naming each field that differs.
 */
int __init ckpt_mirror_init(void)
{
	const struct ckpt_mirror_field *f;
	struct btf *btf;
	int err = 0, offset;

	btf = K(bpf_get_btf_vmlinux)();
	if (IS_ERR_OR_NULL(btf)) {
		pr_warn("no type information: the layout of private structures is not checked\n");
		return 0;
	}
	for (f = ckpt_mirror_fields; f < ckpt_mirror_fields + ARRAY_SIZE(ckpt_mirror_fields); f++) {
		offset = ckpt_mirror_offset(btf, f);
		if (offset == f->offset)
			continue;
		pr_err("struct %s of this kernel has %s at %d, not at %u: the module was not made for it\n",
		       f->type, f->field, offset, f->offset);
		err = -ENOEXEC;
	}
	return err;
}

#else

int __init ckpt_mirror_init(void)
{
	return 0;
}

#endif
