#include "support_refusal.h"

#include <stdio.h>

#include "support_probe.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_session.h"
#include "support_tls.h"
#include "support_vm.h"

void
refusal_prepare(struct e2e *e2e, struct move *move)
{
    move_prepare(e2e, move, &guest_calm);
    tunnel_init(e2e, &move->tunnel);
    move->tunnel.session = true;
    move->recv = tunnel_recv(e2e, &move->tunnel, move->destination, NULL);
    proc_wait_unix(move->recv, move->tunnel.destination);
}

static void
expect_words(struct process *process, const char *words)
{
    if (words != NULL && !process_said(process, words))
        fail_msg("%s does not say \"%s\"", process->name, words);
}

/* Wait until the server has said it once more than ${before} times. */
static void
expect_once_more(const struct tunnel *tunnel, const char *words,
                 unsigned before)
{
    if (words == NULL)
        return;
    session_wait_count(tunnel->server, words, before + 1);
    assert_int_equal(session_count(tunnel->server, words), before + 1);
}

static unsigned
count_before(const struct tunnel *tunnel, const struct refusal *refusal)
{
    if (refusal->server_says == NULL)
        return 0;
    return session_count(tunnel->server, refusal->server_says);
}

void
refusal_of_client(struct e2e *e2e, const struct tunnel *tunnel,
                  const char *const *options, const struct refusal *refusal)
{
    unsigned before = count_before(tunnel, refusal);
    struct command command = { .argc = 0 };
    char path[CASE_PATH_MAX];
    struct process *client;

    command_add(&command, "%s/mig-client", tool_dir());
    command_add(&command, "--dest");
    command_add(&command, "127.0.0.1:%u", tunnel->port);
    command_add_all(&command,
                    ARGS("--unix", e2e_path(e2e, "further.sock", path)));
    if (!tunnel->session)
        command_add(&command, "--raw");
    command_add_all(&command, options);
    client = process_start(e2e, "refused-client", &command);
    process_expect(client, 1);
    expect_words(client, refusal->client_says);
    expect_once_more(tunnel, refusal->server_says, before);
}

void
refusal_of_openssl(struct e2e *e2e, const struct tunnel *tunnel,
                   const char *const *args, const struct refusal *refusal)
{
    unsigned before = count_before(tunnel, refusal);
    struct process *client =
        openssl_client(e2e, tunnel->port, "/dev/null", args);

    process_wait(client);
    expect_words(client, refusal->client_says);
    expect_once_more(tunnel, refusal->server_says, before);
}

void
refusal_of_probe(const struct tunnel *tunnel, const struct refusal *refusal)
{
    unsigned before = count_before(tunnel, refusal);

    probe_port(tunnel->port, PROBE_QEMU);
    expect_once_more(tunnel, refusal->server_says, before);
}

void
refusal_finish(struct e2e *e2e, struct move *move, unsigned joined)
{
    assert_in_range(session_count(move->tunnel.server, "has joined"), 0,
                    joined);
    assert_true(process_running(move->recv));
    assert_string_equal(vm_state(move->destination), "inmigrate");
    tunnel_start_client(e2e, &move->tunnel, NULL);
    move->send = tunnel_send(e2e, &move->tunnel, move->source, NULL);
    move_finish(e2e, move);
    if (move->tunnel.session)
        session_expect_end(&move->tunnel, "completed");
}
