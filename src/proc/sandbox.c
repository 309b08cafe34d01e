/* proc/sandbox.c - see sandbox.h; start reading at sandbox_enter().
 *
 * Landlock has no calls in libc: numbers and structs as in the kernel's include/uapi/linux/landlock.h.  The seccomp filter
 * is a plain list of calls to refuse; it is written here as the kernel reads it (classic BPF), because it must be loaded
 * between vfork() and exec, where no library may run.
 */
#define _GNU_SOURCE /* O_PATH, syscall() */
#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/log.h"

/* ---- landlock ---- */

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_ENTER = 446, PATH_BENEATH = 1 };
enum { /* rights, by ABI: 1 up to SYM, 2 REFER, 3 TRUNCATE, 5 IOCTL */
    FS_EXEC = 1 << 0, FS_WRITE = 1 << 1, FS_READ = 1 << 2, FS_LIST = 1 << 3, FS_RMDIR = 1 << 4, FS_RM = 1 << 5, FS_CHAR = 1 << 6,
    FS_DIR = 1 << 7, FS_REG = 1 << 8, FS_SOCK = 1 << 9, FS_FIFO = 1 << 10, FS_BLOCK = 1 << 11, FS_SYM = 1 << 12, FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14, FS_IOCTL = 1 << 15,
    FS_ALL_1 = (1 << 13) - 1,
    FS_FILE = FS_EXEC | FS_WRITE | FS_READ | FS_TRUNCATE | FS_IOCTL, /* what can be said of a file that is no folder */
};
enum { NET_BIND = 1 << 0, NET_CONNECT = 1 << 1 };           /* ABI 4 */
enum { SCOPE_ABSTRACT_UNIX = 1 << 0, SCOPE_SIGNAL = 1 << 1 }; /* ABI 6 */
struct ruleset_attr {
    uint64_t fs, net, scoped;
};
struct __attribute__((packed)) path_attr {
    uint64_t allowed;
    int32_t fd;
};

enum { RULES_MAX = 64 };
struct rule {
    char *path; /* owned */
    uint64_t allowed;
};

struct sandbox {
    struct rule rule[RULES_MAX];
    int n_rules;
    bool may_connect;
    struct sock_filter code[256];
    unsigned short n_code;
};

/* 0: none. */
static int landlock_abi(void)
{
    const long v = syscall(LANDLOCK_CREATE, NULL, (size_t)0, 1u /* version */);
    return v > 0 ? (int)v : 0;
}

static uint64_t handled_fs(int abi)
{
    return (uint64_t)FS_ALL_1 | (abi >= 2 ? FS_REFER : 0u) | (abi >= 3 ? FS_TRUNCATE : 0u) | (abi >= 5 ? FS_IOCTL : 0u);
}

static int allow(int ruleset, const struct rule *r, uint64_t handled)
{
    struct path_attr attr = { .fd = open(r->path, O_PATH | O_CLOEXEC) };
    if (attr.fd < 0)
        return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : errno; /* it cannot reach it either */
    struct stat st;
    int rc = fstat(attr.fd, &st) == 0 ? 0 : errno;
    attr.allowed = r->allowed & handled & (S_ISDIR(st.st_mode) ? UINT64_MAX : (uint64_t)FS_FILE);
    if (rc == 0 && syscall(LANDLOCK_ADD, ruleset, PATH_BENEATH, &attr, 0u) != 0)
        rc = errno;
    close(attr.fd);
    return rc;
}

static int restrict_files(const struct sandbox *s)
{
    const int abi = landlock_abi();
    if (abi == 0)
        return 0;
    const struct ruleset_attr attr = { .fs = handled_fs(abi),
                                       .net = abi >= 4 && !s->may_connect ? NET_BIND | NET_CONNECT : 0u,
                                       .scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0u };
    const size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? offsetof(struct ruleset_attr, scoped) : offsetof(struct ruleset_attr, net);
    const int ruleset = (int)syscall(LANDLOCK_CREATE, &attr, size, 0u);
    if (ruleset < 0)
        return errno;
    int rc = 0;
    for (int i = 0; i < s->n_rules && rc == 0; i++)
        rc = allow(ruleset, &s->rule[i], attr.fs);
    if (rc == 0 && syscall(LANDLOCK_ENTER, ruleset, 0u) != 0)
        rc = errno;
    close(ruleset);
    return rc;
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define ARCH_OURS AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_OURS AUDIT_ARCH_AARCH64
#else
#define ARCH_OURS 0 /* no filter */
#endif

/* Calls that nobody who computes needs. */
static const int refused[] = {
    /* other processes */
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_kcmp, 438 /* pidfd_getfd */,
    440 /* process_madvise */,
    /* the system */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_sethostname, SYS_setdomainname, SYS_settimeofday,
    SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_syslog, SYS_quotactl, SYS_name_to_handle_at, SYS_open_by_handle_at,
    428 /* open_tree */, 429 /* move_mount */, 430 /* fsopen */, 432 /* fsmount */, 442 /* mount_setattr */,
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
    /* doors with many bugs behind them */
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_personality, SYS_lookup_dcookie, SYS_vhangup,
    425, 426, 427 /* io_uring */,
};
#define NEW_NAMESPACES 0x7e020000u /* CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET */
#define ONE_OF_OURS 0x00010000u    /* CLONE_THREAD: no process, which could outlive us */
static const int refused_sockets[] = { SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4 };

static const int refused_signals[] = { SYS_kill, SYS_tkill, 424 /* pidfd_send_signal */, 434 /* pidfd_open */ };

static void put(struct sandbox *s, struct sock_filter f) { s->code[s->n_code++] = f; }

static void refuse(struct sandbox *s, int nr)
{
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

static void write_filter(struct sandbox *s, const struct sandbox_rules *rules)
{
    const int n = (int)(sizeof(refused) / sizeof(refused[0])), n_sockets = (int)(sizeof(refused_sockets) / sizeof(refused_sockets[0]));
    _Static_assert(sizeof(refused) / sizeof(refused[0]) * 2 + 60 < 256, "the filter fits");
    put(s, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_OURS, 1, 0));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)); /* 32-bit calls have other numbers */
    put(s, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
#if defined(__x86_64__)
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1)); /* x32 too */
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
#endif
    for (int i = 0; i < n; i++)
        refuse(s, refused[i]);
    for (int i = 0; i < n_sockets && !rules->may_connect; i++)
        refuse(s, refused_sockets[i]);
    for (int i = 0; i < 4 && !(rules->may_exec && landlock_abi() >= 6); i++)
        refuse(s, refused_signals[i]); /* who has children ends them, where the kernel sees to it that it is only them */
    if (!rules->may_exec) {
        refuse(s, SYS_execve);
        refuse(s, SYS_execveat);
#ifdef SYS_fork
        refuse(s, SYS_fork);
        refuse(s, SYS_vfork);
#endif
    }
    /* new namespaces, which unshare() is refused for; clone3() hides its flags, and libc goes on with clone() */
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 435, 0, 1));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 5));
    put(s, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 1, 0));
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, rules->may_exec ? ~0u : ONE_OF_OURS, 1, 0));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    /* limits of others: prlimit64 of process 0, ourselves, only */
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 3));
    put(s, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)));
    put(s, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    put(s, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static bool has_seccomp(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;
    return ARCH_OURS != 0 && syscall(SYS_seccomp, 2u /* SECCOMP_GET_ACTION_AVAIL */, 0u, &action) == 0;
}

static int restrict_calls(const struct sandbox *s)
{
    if (!has_seccomp())
        return 0;
    const struct sock_fprog program = { .len = s->n_code, .filter = (struct sock_filter *)(size_t)s->code };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
}

/* ---- together ---- */

int sandbox_enter(const struct sandbox *s)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    const int rc = restrict_files(s);
    return rc != 0 ? rc : restrict_calls(s);
}

static bool add(struct sandbox *s, const char *path, uint64_t allowed, struct err *err)
{
    if (s->n_rules == RULES_MAX)
        return err_set(err, ERR_LIMIT, "sandbox: more than %d paths", RULES_MAX);
    if (!(s->rule[s->n_rules].path = strdup(path)))
        return err_set(err, ERR_NOMEM, "sandbox: no memory");
    s->rule[s->n_rules++].allowed = allowed;
    return true;
}

static bool add_all(struct sandbox *s, const char *const *paths, uint64_t allowed, struct err *err)
{
    for (; paths && *paths; paths++)
        if (!add(s, *paths, allowed, err))
            return false;
    return true;
}

static bool add_rules(struct sandbox *s, const struct sandbox_rules *r, struct err *err)
{
    static const char *const programs[] = { "/usr", "/lib", "/lib64", "/bin", NULL };
    static const char *const files[] = { "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/alternatives", "/etc/fonts",
                                         "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel", "/proc/sys/vm",
                                         "/sys/devices/system", "/sys/fs/cgroup", "/dev/zero", "/dev/urandom", "/dev/random", NULL };
    static const char *const nets[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl",
                                        "/etc/ca-certificates", "/etc/services", "/run/systemd/resolve", NULL };
    static const char *const devices[] = { "/dev", NULL };
    static const char *const trees[] = { "/sys", "/proc", NULL };
    const uint64_t read = FS_READ | FS_LIST, exec = r->may_exec ? FS_EXEC : 0u;
    const uint64_t write = read | FS_WRITE | FS_RM | FS_RMDIR | FS_DIR | FS_REG | FS_TRUNCATE | FS_REFER | FS_SYM;
    return add_all(s, programs, read | exec, err) && add_all(s, files, read, err) && add(s, "/dev/null", read | FS_WRITE | FS_TRUNCATE, err) &&
           (!r->may_connect || add_all(s, nets, read, err)) &&
           (!r->may_use_devices || (add_all(s, devices, read | FS_WRITE | FS_IOCTL, err) && add_all(s, trees, read, err))) &&
           add_all(s, r->read, read, err) && add_all(s, r->write, write, err);
}

static void log_once(void)
{
    const char *lacks = sandbox_lacks();
    if (lacks[0])
        log_warn("sandbox: %s", lacks);
}

struct sandbox *sandbox_new(const struct sandbox_rules *rules, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sandbox *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "sandbox: no memory");
    s->may_connect = rules->may_connect;
    write_filter(s, rules);
    if (!add_rules(s, rules, err)) {
        sandbox_free(s);
        return NULL;
    }
    pthread_once(&once, log_once);
    return s;
}

void sandbox_free(struct sandbox *s)
{
    for (int i = 0; s && i < s->n_rules; i++)
        free(s->rule[i].path);
    free(s);
}

const char *sandbox_lacks(void)
{
    const bool files = landlock_abi() > 0, calls = has_seccomp();
    return files && calls ? ""
           : files        ? "no seccomp here: children's system calls are not restricted"
           : calls        ? "no landlock in this kernel: children may read and write what we may"
                          : "neither landlock nor seccomp in this kernel: children are not restricted";
}
