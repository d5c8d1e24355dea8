#include "support_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_wait.h"

void
command_add(struct command *command, const char *format, ...)
{
    va_list ap;
    int n;

    assert_in_range(command->argc, 0, COMMAND_MAX - 2);
    va_start(ap, format);
    n = vasprintf(&command->argv[command->argc], format, ap);
    va_end(ap);
    assert_true(n >= 0);
    command->argc++;
}

void
command_add_all(struct command *command, const char *const *args)
{
    for (; args != NULL && *args != NULL; args++)
        command_add(command, "%s", *args);
}

static void
command_clear(struct command *command)
{
    while (command->argc > 0) {
        free(command->argv[--command->argc]);
        command->argv[command->argc] = NULL;
    }
}

static int
create(const char *path)
{
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* The child's way from fork to its own program; it only makes system calls. */
static void
become(const struct command *command, int in, int out, int err, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    execvp(command->argv[0], command->argv);
    dprintf(2, "%s: %s\n", command->argv[0], strerror(errno));
    _exit(127);
}

static void
process_release(void *arg)
{
    struct process *process = arg;

    process_kill(process);
    close(process->pid_fd);
    free(process);
}

struct process *
process_start(struct e2e *e2e, const char *name, struct command *command)
{
    struct process *process = calloc(1, sizeof(*process));
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t self = getpid();
    char file[64];
    int out, err;

    assert_non_null(process);
    process->name = name;
    snprintf(file, sizeof(file), "%s.out", name);
    out = create(e2e_path(e2e, file, process->out));
    snprintf(file, sizeof(file), "%s.err", name);
    err = create(e2e_path(e2e, file, process->err));

    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0)
        become(command, in, out, err, self);
    process->pid_fd = pidfd_open(process->pid, 0);
    assert_true(process->pid_fd >= 0);
    close(in);
    close(out);
    close(err);
    command_clear(command);
    e2e_defer(e2e, process_release, process);
    return process;
}

/* Take the exit status if there is one, or wait for it. */
static bool
reap(struct process *process, int flags)
{
    siginfo_t info = { .si_pid = 0 };

    if (process->reaped)
        return true;
    if (waitid(P_PIDFD, (id_t)process->pid_fd, &info, WEXITED | flags) < 0 ||
        info.si_pid == 0)
        return false;
    process->reaped = true;
    process->status =
        info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return true;
}

static bool
has_exited(void *arg)
{
    return reap(arg, WNOHANG);
}

bool
process_running(struct process *process)
{
    return !has_exited(process);
}

void
process_signal(struct process *process, int signo)
{
    assert_false(process->reaped);
    assert_int_equal(kill(process->pid, signo), 0);
}

int
process_wait(struct process *process)
{
    wait_file(process->err, process->pid_fd, PATIENCE_MS, has_exited, process);
    if (!process->reaped)
        fail_msg("%s does not exit", process->name);
    return process->status;
}

void
process_kill(struct process *process)
{
    if (process->reaped)
        return;
    kill(process->pid, SIGKILL);
    reap(process, 0);
}

void
process_expect(struct process *process, int status)
{
    int is = process_wait(process);

    if (is != status)
        fail_msg("%s exits with %d, and %d was expected", process->name, is,
                 status);
}

char *
process_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    assert_non_null(file);
    if (getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    assert_non_null(text);
    fclose(file);
    return text;
}

static bool
contains(const char *path, const char *text)
{
    char *all = process_read(path);
    bool found = strstr(all, text) != NULL;

    free(all);
    return found;
}

bool
process_said(struct process *process, const char *text)
{
    return contains(process->err, text) || contains(process->out, text);
}

struct awaited {
    const char *path;
    const char *text;
};

static bool
awaited_came(void *arg)
{
    const struct awaited *awaited = arg;

    return contains(awaited->path, awaited->text);
}

void
process_wait_text(struct process *process, const char *path, const char *text)
{
    struct awaited awaited = { path, text };

    if (!wait_file(path, process->pid_fd, PATIENCE_MS, awaited_came, &awaited))
        fail_msg("%s does not say \"%s\"", process->name, text);
}
