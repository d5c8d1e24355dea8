#include "support_operator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_process.h"
#include "support_qmp.h"
#include "support_vm.h"
#include "support_wait.h"

enum { COMMAND_TEXT_MAX = 600 };

/* What a line may ask for, in the order in which it is tried: to look again
 * comes before what can't be undone. */
struct request {
    const char *program;
    const char *option;
    bool (*may)(struct operator* operator, const char * line);
};

static bool
is(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}

static void
add_reader(struct operator* operator, const struct process * process)
{
    size_t i = 0;

    while (
        i < OPERATOR_LINES && operator->read[i] != NULL && operator->read[i] !=
                              process)
        i++;
    assert_in_range(i, 0, OPERATOR_LINES - 1);
    operator->read[i] = process;
}

void
operator_init(struct operator* operator, struct e2e * e2e, struct move *move)
{
    *operator=(struct operator){ .e2e = e2e, .move = move };
}

/* Not so in a test without this helper. */
static bool
works(struct process *helper)
{
    return helper != NULL && process_running(helper);
}

/* The destination first: once it runs there, nothing may let it run at the
 * source, so two that are seen one after the other are two at once. */
void operator_watch(struct operator* operator)
{
    struct move *move = operator->move;

    vm_migration(move->source);
    vm_migration(move->destination);
    if (is(vm_state(move->destination), "running") &&
        is(vm_state(move->source), "running"))
        fail_msg("the guest runs at both hosts");
}

static bool
is_gone(struct vm *vm)
{
    return is(vm_state(vm), "gone");
}

static bool
may_attach_send(struct operator* operator, const char * line)
{
    (void)line;
    return operator->tunnel && !works(operator->move->send) &&
           !is_gone(operator->move->source);
}

static bool
may_attach_recv(struct operator* operator, const char * line)
{
    (void)line;
    return operator->tunnel && !works(operator->move->recv) &&
           !is_gone(operator->move->destination);
}

/* As the line says what to look at: that QEMU has ended, or has completed. */
static bool
may_release_recv(struct operator* operator, const char * line)
{
    struct vm *source = operator->move->source;

    if (!is(vm_state(operator->move->destination), "paused"))
        return false;
    if (is_gone(source))
        return strstr(line, "source's QEMU has ended") != NULL;
    if (operator->tunnel && works(operator->move->send))
        return false; /* it is heard, or will be in a moment */
    if (strstr(line, "source's QEMU says 'completed' and does not run") == NULL)
        return strstr(line, "nobody knows any more") != NULL;
    return is(vm_migration(source), "completed") &&
           !is(vm_state(source), "running");
}

static bool
may_release_send(struct operator* operator, const char * line)
{
    (void)line;
    return is_gone(operator->move->destination) &&
           is(vm_state(operator->move->source), "postmigrate");
}

static const struct request requests[] = {
    { "mig-send", "--attach", may_attach_send },
    { "mig-recv", "--attach", may_attach_recv },
    { "mig-recv", "--release", may_release_recv },
    { "mig-send", "--release", may_release_send },
};

/* Find in ${line} the command in double quotes that begins with ${program} and
 * ends with ${option}. */
static bool
find_command(const char *line, const struct request *request,
             char command[COMMAND_TEXT_MAX])
{
    size_t program = strlen(request->program), option = strlen(request->option);

    for (const char *at = line; (at = strchr(at, '"')) != NULL;) {
        const char *end = strchr(++at, '"');

        if (end == NULL)
            return false;
        if (strncmp(at, request->program, program) == 0 &&
            strncmp(end - option, request->option, option) == 0) {
            snprintf(command, COMMAND_TEXT_MAX, "%.*s", (int)(end - at), at);
            return true;
        }
        at = end + 1;
    }
    return false;
}

static bool
was_done(const struct operator* operator, const char * what)
{
    return strstr(operator->done, what) != NULL;
}

static void
note(struct operator* operator, const char * what)
{
    size_t length = strlen(operator->done);

    snprintf(operator->done + length, sizeof(operator->done) - length, "%s%s",
             length > 0 ? ", " : "", what);
}

/* As typed into a shell whose PATH has the programs. */
static struct process *
type(struct operator* operator, const char * name, const char *command)
{
    struct command shell = { .argc = 0 };

    print_message("             %s\n", command);
    command_add(&shell, "sh");
    command_add(&shell, "-c");
    command_add(&shell, "PATH=%s:$PATH; exec %s", tool_dir(), command);
    return process_start(operator->e2e, name, &shell);
}

static bool
try_command(struct operator* operator, const struct request * request,
            const char *line)
{
    char command[COMMAND_TEXT_MAX], what[64];
    struct process **place = is(request->program, "mig-send")
        ? &operator->move->send : & operator->move->recv;

    snprintf(what, sizeof(what), "%s %s", request->program, request->option);
    if (was_done(operator, what) || !find_command(line, request, command) ||
        !request->may(operator, line))
        return false;
    note(operator, what);
    *place = operator->typed = type(operator, request->program, command);
    return true;
}

static bool
try_quit(struct operator* operator, const char * line)
{
    struct move *move = operator->move;

    if (was_done(operator, "quit") ||
        strstr(line, "if it runs there, quit this QEMU") == NULL ||
        !is(vm_state(move->source), "running") || is_gone(move->destination) ||
        may_attach_send(operator, line))
        return false;
    note(operator, "quit");
    json_decref(qmp_try(move->destination->qmp, "quit", NULL));
    return true;
}

static bool
follow_line(struct operator* operator, const char * line)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        if (try_command(operator, & requests[i], line))
            return true;
    return try_quit(operator, line);
}

static bool
follow_log(struct operator* operator, const struct process * process)
{
    char *log = process_read(process->err), *rest = log, *line;
    bool found = false;

    while (!found && (line = strsep(&rest, "\n")) != NULL)
        found = follow_line(operator, line);
    free(log);
    return found;
}

/* What was typed last is given the time to help. */
static bool is_patient(struct operator* operator)
{
    return operator->typed != NULL && process_running(operator->typed) &&
           !process_said(operator->typed, "--release\"");
}

bool operator_follow(struct operator* operator)
{
    add_reader(operator, operator->move->send);
    add_reader(operator, operator->move->recv);
    if (is_patient(operator) ||
        is(vm_state(operator->move->destination), "running"))
        return false;
    for (size_t i = 0; i < OPERATOR_LINES && operator->read[i] != NULL; i++)
        if (follow_log(operator, operator->read[i]))
            return true;
    return false;
}

static bool
is_settled(void *arg)
{
    struct operator* operator= arg;
    bool ended = !works(operator->move->send) &&
                 (operator->recv_waits || !works(operator->move->recv));

    operator_watch(operator);
    return !operator_follow(operator) && ended;
}

void operator_settle(struct operator* operator)
{
    if (!wait_until(PATIENCE_MS, is_settled, operator))
        fail_msg("mig-send or mig-recv does not end; done: %s", operator->done);
    operator_watch(operator);
}
