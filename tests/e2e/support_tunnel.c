#include "support_tunnel.h"

#include <stdio.h>
#include <stdlib.h>

#include "support_proc.h"
#include "support_process.h"
#include "support_vm.h"

void
tunnel_init(struct e2e *e2e, struct tunnel *tunnel)
{
    *tunnel = (struct tunnel){ .port = proc_free_port(),
                               .server_host = "127.0.0.1",
                               .client_host = "127.0.0.1" };
    e2e_path(e2e, "source.sock", tunnel->source);
    e2e_path(e2e, "destination.sock", tunnel->destination);
}

const char *
tool_dir(void)
{
    const char *dir = getenv("MIG_BIN_DIR");

    return dir != NULL ? dir : MIG_BIN_DIR;
}

static void
add_program(struct command *command, const char *program)
{
    command_add(command, "%s/%s", tool_dir(), program);
}

struct process *
tool_start(struct e2e *e2e, const char *program, const char *const *args)
{
    struct command command = { .argc = 0 };

    add_program(&command, program);
    command_add_all(&command, args);
    return process_start(e2e, program, &command);
}

static void
add_security(struct command *command, const char *const *security)
{
    command_add_all(command, security != NULL ? security : ARGS("--insecure"));
}

void
tunnel_start_server(struct e2e *e2e, struct tunnel *tunnel,
                    const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, tunnel->through);
    add_program(&command, "mig-server");
    command_add(&command, "--listen");
    command_add(&command, "%s:%u", tunnel->server_host, tunnel->port);
    command_add(&command, "--unix");
    command_add(&command, "%s", tunnel->destination);
    if (!tunnel->session)
        command_add(&command, "--raw");
    add_security(&command, tunnel->server_security);
    command_add_all(&command, args);
    tunnel->server = process_start(e2e, "mig-server", &command);
    proc_wait_tcp(tunnel->server, tunnel->port);
}

void
tunnel_start_client(struct e2e *e2e, struct tunnel *tunnel,
                    const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, tunnel->source_through);
    command_add_all(&command, tunnel->through);
    add_program(&command, "mig-client");
    command_add(&command, "--dest");
    command_add(&command, "%s:%u", tunnel->client_host,
                tunnel->dest_port != 0 ? tunnel->dest_port : tunnel->port);
    command_add(&command, "--unix");
    command_add(&command, "%s", tunnel->source);
    if (!tunnel->session)
        command_add(&command, "--raw");
    add_security(&command, tunnel->client_security);
    command_add_all(&command, args);
    tunnel->client = process_start(e2e, "mig-client", &command);
    if (!tunnel->session)
        proc_wait_unix(tunnel->client, tunnel->source);
}

void
tunnel_start(struct e2e *e2e, struct tunnel *tunnel)
{
    tunnel_init(e2e, tunnel);
    tunnel_start_server(e2e, tunnel, NULL);
    tunnel_start_client(e2e, tunnel, NULL);
}

/* How both begin. */
static void
add_helper(struct command *command, const char *program, const char *qmp,
           const char *socket)
{
    add_program(command, program);
    command_add(command, "--qmp");
    command_add(command, "%s", qmp);
    command_add(command, "--unix");
    command_add(command, "%s", socket);
}

struct process *
tunnel_recv(struct e2e *e2e, const struct tunnel *tunnel, const struct vm *vm,
            const char *const *args)
{
    struct command command = { .argc = 0 };

    add_helper(&command, "mig-recv", vm->tool_qmp, tunnel->destination);
    if (!tunnel->partners)
        command_add(&command, "--standalone");
    command_add_all(&command, args);
    return process_start(e2e, "mig-recv", &command);
}

struct process *
tunnel_send(struct e2e *e2e, const struct tunnel *tunnel, const struct vm *vm,
            const char *const *args)
{
    struct command command = { .argc = 0 };

    command_add_all(&command, tunnel->source_through);
    add_helper(&command, "mig-send", vm->tool_qmp, tunnel->source);
    if (!tunnel->partners)
        command_add(&command, "--standalone");
    command_add_all(&command, args);
    return process_start(e2e, "mig-send", &command);
}
