/* SPDX-License-Identifier: MIT */
/*
 * probe NAME...: what can a process do here? Tries each thing, in a process of its own, and prints
 * "NAME ok", the error's name or "killed". What it does is harmless, and undone where it succeeds.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static int write_new(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

        if (fd < 0)
                return -1;
        close(fd);
        return unlink(path);
}

static int open_file(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC);

        return fd < 0 ? -1 : close(fd);
}

static int open_socket(int family, int type) {
        int fd = socket(family, type | SOCK_CLOEXEC, 0);

        return fd < 0 ? -1 : close(fd);
}

static int bind_port(uint16_t port) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r, error;

        r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
        error = errno;
        close(fd);
        errno = error;
        return r;
}

static int try_usr(void) {
        return write_new("/usr/probe");
}
static int try_etc(void) {
        return write_new("/etc/probe");
}
static int try_etc_bal(void) {
        return write_new("/etc/bal/probe");
}
static int try_var(void) {
        return write_new("/var/lib/probe");
}
static int try_run(void) {
        return write_new("/run/probe");
}
static int try_run_bal(void) {
        return write_new("/run/bal/probe");
}
static int try_home(void) {
        return open_file("/root/probe-seen", O_RDONLY);
}
static int try_tmp(void) {
        return open_file("/tmp/probe-seen", O_RDONLY);
}
static int try_device(void) { /* a node that the test has made, the same as /dev/null */
        return open_file("/dev/probe-null", O_RDWR);
}
static int try_device_strange(void) { /* likewise, but one that stands for something */
        return open_file("/dev/probe-strange", O_RDONLY | O_NONBLOCK | O_NOCTTY);
}
static int try_proc_others(void) {
        return open_file("/proc/1/status", O_RDONLY);
}
static int try_proc_rest(void) {
        return open_file("/proc/meminfo", O_RDONLY);
}
static int try_tunables(void) {
        return open_file("/proc/sys/net/ipv4/ip_forward", O_WRONLY);
}
static int try_modules(void) {
        return open_file("/usr/lib/modules/probe-seen", O_RDONLY);
}
static int try_kernel_log(void) {
        return klogctl(10 /* size of the buffer */, NULL, 0) < 0 ? -1 : 0;
}
static int try_cgroups(void) {
        return mkdir("/sys/fs/cgroup/probe", 0700) < 0 ? -1 : rmdir("/sys/fs/cgroup/probe");
}
static int try_clock(void) { /* only asks, which needs no privilege */
        struct timex t = { 0 };

        return adjtimex(&t) < 0 ? -1 : 0;
}
static int try_hostname(void) {
        char name[256];

        return gethostname(name, sizeof(name)) < 0 ? -1 : sethostname(name, strlen(name));
}
static int try_netlink(void) {
        return open_socket(AF_NETLINK, SOCK_RAW);
}
static int try_packet(void) {
        return open_socket(AF_PACKET, SOCK_RAW);
}
static int try_inet(void) {
        return open_socket(AF_INET, SOCK_STREAM) < 0 ? -1 : open_socket(AF_INET6, SOCK_STREAM);
}
static int try_unix(void) {
        return open_socket(AF_UNIX, SOCK_STREAM);
}
static int try_raw(void) {
        int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

        return fd < 0 ? -1 : close(fd);
}
static int try_low_port(void) {
        return bind_port(81);
}
static int try_namespace(void) {
        return unshare(CLONE_NEWUTS);
}
static int try_realtime(void) {
        struct sched_param p = { .sched_priority = 1 }, normal = { 0 };

        if (sched_setscheduler(0, SCHED_RR, &p) < 0)
                return -1;
        return sched_setscheduler(0, SCHED_OTHER, &normal);
}
static int try_setuid_file(void) {
        char path[] = "/dev/shm/probe-XXXXXX";
        int fd = mkstemp(path), r, error;

        if (fd < 0)
                return -1;
        r = fchmod(fd, 04700);
        error = errno;
        close(fd);
        unlink(path);
        errno = error;
        return r;
}
static int try_write_execute(void) {
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);

        return p == MAP_FAILED ? -1 : munmap(p, 4096);
}
static int try_personality(void) {
        return personality(ADDR_COMPAT_LAYOUT) < 0 ? -1 : personality(PER_LINUX) < 0 ? -1 : 0;
}
static int try_foreign_call(void) {
#ifdef __x86_64__
        long r;

        __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L /* getpid of i386 */) : "memory");
        errno = r < 0 ? (int)-r : 0;
        return r < 0 ? -1 : 0;
#else
        errno = ENOTSUP;
        return -1;
#endif
}
static int try_chroot(void) {
        return chroot("/");
}
static int try_ptrace(void) {
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? -1 : 0;
}
static int try_mount(void) {
        return mount("probe", "/dev/shm", "tmpfs", 0, NULL) < 0 ? -1 : umount("/dev/shm");
}
static int try_priority(void) {
        return setpriority(PRIO_PROCESS, 0, 1);
}
static int try_own_chown(void) { /* what admin.sock needs: a file of ours, to a group of ours */
        return chown("/run/bal", (uid_t)-1, getgid());
}
static int try_new_privileges(void) {
        errno = EPERM;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0;
}
static int try_open_file_mode(void) { /* is a new file readable for others? */
        char path[] = "/dev/shm/probe-mode";
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        close(fd);
        unlink(path);
        errno = EPERM;
        return st.st_mode & 0077 ? 0 : -1;
}
static int try_ipc(void) { /* left behind on purpose: the test looks whether it stays */
        return shmget(0x62616c, 4096, IPC_CREAT | 0600) < 0 ? -1 : 0;
}

/* clang-format off */
static const struct {
        const char *name;
        int (*fn)(void);
} tries[] = {
#define T(name) { #name, try_##name }
        T(usr), T(etc), T(etc_bal), T(var), T(run), T(run_bal), T(home), T(tmp), T(device),
        T(device_strange), T(proc_others), T(proc_rest), T(tunables), T(modules), T(kernel_log),
        T(cgroups), T(clock), T(hostname), T(netlink), T(packet), T(inet), T(unix), T(raw),
        T(low_port), T(namespace), T(realtime), T(setuid_file), T(write_execute), T(personality),
        T(foreign_call), T(chroot), T(ptrace), T(mount), T(priority), T(own_chown),
        T(new_privileges), T(open_file_mode), T(ipc),
#undef T
};
/* clang-format on */

static const char *outcome(int (*fn)(void)) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                errno = 0;
                _exit(fn() == 0 ? 0 : errno ? errno : EINVAL);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return "lost";
        if (!WIFEXITED(status))
                return "killed";
        return WEXITSTATUS(status) == 0 ? "ok" : strerrorname_np(WEXITSTATUS(status));
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                size_t n = 0;

                while (n < ELEMENTS(tries) && strcmp(tries[n].name, argv[i]) != 0)
                        n++;
                if (n == ELEMENTS(tries)) {
                        fprintf(stderr, "probe: what is %s?\n", argv[i]);
                        return 64;
                }
                printf("%s %s\n", argv[i], outcome(tries[n].fn));
                fflush(stdout);
        }
        return 0;
}
