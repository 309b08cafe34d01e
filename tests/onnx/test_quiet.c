/* tests/onnx/test_quiet.c - the library opens no socket and writes no file: the kernel is told to end us if it tries.
 *
 * A seccomp filter answers socket() and every open for writing with SIGSYS.  With the pinned version this held under strace
 * too; versions from 1.29 on try both (../shared/DEPENDENCIES.md, section 6), and ORT_DISABLE_TELEMETRY keeps them from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library.h"
#include "write.h"

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define NUMBER offsetof(struct seccomp_data, nr)
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + 8 * (i)) /* low half, little endian */
#define FORBID(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static bool forbid(void)
{
    struct sock_filter code[] = {
        LOAD(NUMBER),
        FORBID(SYS_socket), FORBID(SYS_connect), FORBID(SYS_mkdirat), FORBID(SYS_unlinkat), FORBID(SYS_ftruncate),
#ifdef SYS_mkdir
        FORBID(SYS_mkdir), FORBID(SYS_creat), FORBID(SYS_rename), FORBID(SYS_unlink), FORBID(SYS_open), /* glibc opens with openat */
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        LOAD(ARGUMENT(2)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR | O_CREAT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum what { NOTHING, MODEL, SOCKET, WRITE };

/* In a child: the filter, then what is asked for.  The status of waitpid(). */
static int in_child(enum what what, const char *library, const char *path)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        struct err err = { 0 };
        if (!forbid())
            _exit(77);
        if (what == SOCKET)
            _exit(socket(AF_UNIX, SOCK_STREAM, 0) < 0);
        if (what == WRITE)
            _exit(open(path, O_WRONLY) < 0);
        if (what == MODEL) {
            struct onnx *o = onnx_open(library, &(struct onnx_options){ .n_threads = 2 }, &err);
            struct onnx_session *s = o ? onnx_session_open(o, path, NULL, &err) : NULL;
            bool good = s != NULL;
            for (int i = 0; good && i < 3; i++)
                good = onnx_run(s, &err);
            onnx_session_close(s);
            onnx_close(o);
            if (!good)
                fprintf(stderr, "# %s\n", err.text);
            _exit(good ? 0 : 1);
        }
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

TEST(the_library_opens_no_socket_and_writes_no_file)
{
    struct onnx_writer w;
    const char *library = test_onnx_library(), *path = test_tmp("x.onnx");
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]){ 64, 64 }, 2);
    writer_node(&w, "MatMul", "x x", "y");
    writer_node(&w, "Relu", "y", "z");
    writer_output(&w, "z", 1, (int64_t[]){ 64, 64 }, 2);
    writer_save(&w, path);
    if (in_child(NOTHING, library, path) != 0)
        SKIP("no seccomp filter can be set here");
    CHECK(WIFSIGNALED(in_child(SOCKET, library, path)), "the filter lets sockets through");
    CHECK(WIFSIGNALED(in_child(WRITE, library, path)), "the filter lets files be written");
    const int status = in_child(MODEL, library, path);
    CHECK(status == 0, "status %#x: %s", status, WIFSIGNALED(status) ? "it tried to" : "it failed");
}
