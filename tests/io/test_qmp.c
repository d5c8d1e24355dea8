/* The QMP client, against a QEMU of the test's own. */
#include "migrate/qmp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "support_net.h"
#include "support_qmp_server.h"
#include "support_stage.h"
#include "support_test.h"

enum { REPLIES = 8, TEXT = 256 };

/* A client, and all that it has said. */
struct client {
    struct stage stage;
    struct qmp_server server;
    char dir[NET_PATH_MAX];
    char path[64];
    struct qmp *qmp;
    bool frees_when_ready, frees_on_event, frees_on_reply, frees_at_end;

    unsigned ready;
    struct qmp_version version;
    unsigned events;
    char event[TEXT];
    unsigned replies;
    char values[REPLIES][TEXT]; /* the returned JSON, or "error: ..." */
    char classes[REPLIES][TEXT];
    bool ended;
    enum qmp_end end;
    char why[TEXT];
};

static void
free_if(struct client *client, bool condition)
{
    if (!condition)
        return;
    qmp_free(client->qmp);
    client->qmp = NULL;
}

static void
on_ready(void *arg, const struct qmp_version *version)
{
    struct client *client = arg;

    client->ready++;
    client->version = *version;
    free_if(client, client->frees_when_ready);
}

static void
on_event(void *arg, const char *name, const json_t *data)
{
    struct client *client = arg;
    char *text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;

    client->events++;
    snprintf(client->event, TEXT, "%.60s %.180s", name,
             text != NULL ? text : "-");
    free(text);
    free_if(client, client->frees_on_event);
}

static void
on_end(void *arg, enum qmp_end end, const char *why)
{
    struct client *client = arg;

    assert_false(client->ended);
    client->ended = true;
    client->end = end;
    snprintf(client->why, TEXT, "%s", why);
    free_if(client, client->frees_at_end);
}

static void
on_reply(void *arg, const struct qmp_reply *reply)
{
    struct client *client = arg;
    char *text = NULL;
    unsigned i = client->replies++;

    assert_false(client->ended);
    assert_true(i < REPLIES);
    if (reply->error != NULL)
        snprintf(client->values[i], TEXT, "error: %s", reply->error);
    else
        text = json_dumps(reply->value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text != NULL)
        snprintf(client->values[i], TEXT, "%.250s", text);
    snprintf(client->classes[i], TEXT, "%s",
             reply->error_class != NULL ? reply->error_class : "-");
    free(text);
    free_if(client, client->frees_on_reply);
}

static void
client_open(struct client *client)
{
    memset(client, 0, sizeof *client);
    stage_open(&client->stage);
    net_temp_dir(client->dir);
    snprintf(client->path, sizeof client->path, "%s/qmp", client->dir);
    qmp_server_open(&client->server, &client->stage, client->path);
}

static void
client_connect(struct client *client, const char *target)
{
    struct qmp_options options = {
        .connect_ms = 20000,
        .greet_ms = 20000,
        .on_ready = on_ready,
        .on_event = on_event,
        .on_end = on_end,
        .arg = client,
    };

    assert_null(qmp_target_parse(target, &options.target));
    client->qmp = qmp_new(client->stage.loop, &options);
    assert_non_null(client->qmp);
}

static void
client_start(struct client *client)
{
    client_open(client);
    client_connect(client, client->path);
    STAGE_UNTIL(&client->stage, client->ready || client->ended);
    assert_false(client->ended);
}

static void
client_close(struct client *client)
{
    qmp_free(client->qmp);
    qmp_server_close(&client->server);
    stage_close(&client->stage);
    net_remove_dir(client->dir);
}

static void
ask_within(struct client *client, const char *name, uint64_t ms)
{
    const struct qmp_command command = {
        .name = name,
        .timeout_ms = ms,
        .on_reply = on_reply,
        .arg = client,
    };

    assert_int_equal(qmp_execute(client->qmp, &command), 0);
}

static void
ask(struct client *client, const char *name)
{
    ask_within(client, name, 20000);
}

static void
assert_end(struct client *client, enum qmp_end end, const char *part)
{
    STAGE_UNTIL(&client->stage, client->ended);
    assert_int_equal(client->end, end);
    if (strstr(client->why, part) == NULL)
        fail_msg("%s", client->why);
}

static void
it_is_ready_when_qemu_has_greeted_and_agreed(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    assert_int_equal(client.version.major, 7);
    assert_true(client.server.greeted);
    assert_int_equal(client.server.command_count, 1);
    client_close(&client);
}

static void
a_reply_comes_to_its_command(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    ask(&client, "query-status");
    ask(&client, "nonsense");
    STAGE_UNTIL(&client.stage, client.replies == 2);
    assert_string_equal(client.values[0], "{\"status\":\"running\"}");
    assert_string_equal(client.values[1], "error: there is no such command");
    assert_string_equal(client.classes[1], "CommandNotFound");
    client_close(&client);
}

static void
arguments_arrive_as_they_are(void **state)
{
    struct client client;
    json_t *arguments =
        json_pack("{s:s, s:[i, b, n]}", "text", "a\"\n", "list", 7, 1);
    const struct qmp_command command = { .name = "migrate",
                                         .arguments = arguments,
                                         .timeout_ms = 20000,
                                         .on_reply = on_reply,
                                         .arg = &client };

    (void)state;
    client_start(&client);
    assert_int_equal(qmp_execute(client.qmp, &command), 0);
    STAGE_UNTIL(&client.stage, client.replies == 1);
    assert_true(
        json_equal(qmp_server_last(&client.server, "migrate"), arguments));
    json_decref(arguments);
    client_close(&client);
}

static void
replies_in_another_order_find_their_commands(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_answer(&client.server, "first", NULL);
    qmp_server_answer(&client.server, "second", NULL);
    ask(&client, "first");
    ask(&client, "second");
    STAGE_UNTIL(&client.stage, client.server.command_count == 3);
    qmp_server_say(&client.server, "{\"return\": 2, \"id\": \"mig-3\"}\n"
                                   "{\"event\": \"STOP\"}\n"
                                   "{\"return\": 9, \"id\": \"mig-99\"}\n"
                                   "{\"return\": 9}\n"
                                   "{\"return\": 1, \"id\": \"mig-2\"}\n");
    STAGE_UNTIL(&client.stage, client.replies == 2);
    assert_string_equal(client.values[0], "2");
    assert_string_equal(client.values[1], "1");
    assert_int_equal(client.events, 1);
    client_close(&client);
}

static void
events_come_with_their_data(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_say(&client.server, "{\"event\": \"STOP\"}\n");
    STAGE_UNTIL(&client.stage, client.events == 1);
    assert_string_equal(client.event, "STOP -");
    qmp_server_say(&client.server,
                   "{\"event\": \"MIGRATION\", \"data\": {\"a\": 1}}\n");
    STAGE_UNTIL(&client.stage, client.events == 2);
    assert_string_equal(client.event, "MIGRATION {\"a\":1}");
    client_close(&client);
}

static void
a_message_may_come_in_pieces_and_over_lines(void **state)
{
    static const char text[] = "{\r\n\"event\":\r\n\"STOP\"\r\n}\r\n";
    struct client client;
    char piece[2] = "";

    (void)state;
    client_start(&client);
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        assert_int_equal(client.events, 0);
        piece[0] = text[i];
        qmp_server_say(&client.server, piece);
        stage_turn(&client.stage);
        stage_turn(&client.stage);
    }
    STAGE_UNTIL(&client.stage, client.events == 1);
    client_close(&client);
}

/* An event of exactly ${len} bytes. */
static char *
long_event(size_t len)
{
    static const char head[] = "{\"event\": \"", tail[] = "\"}\n";
    char *text = malloc(len + 2);

    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, head, sizeof head - 1);
    memcpy(text + len + 1 - (sizeof tail - 1), tail, sizeof tail);
    return text;
}

static void
a_message_of_a_mebibyte_is_taken(void **state)
{
    struct client client;
    char *text = long_event(QMP_MESSAGE_MAX);

    (void)state;
    client_start(&client);
    qmp_server_say(&client.server, text);
    STAGE_UNTIL(&client.stage, client.events == 1);
    ask(&client, "query-status");
    STAGE_UNTIL(&client.stage, client.replies == 1);
    free(text);
    client_close(&client);
}

static void
a_longer_message_ends_the_connection(void **state)
{
    struct client client;
    char *text = long_event(QMP_MESSAGE_MAX + 1);

    (void)state;
    client_start(&client);
    qmp_server_say(&client.server, text);
    assert_end(&client, QMP_BROKEN, "1 MiB");
    assert_int_equal(client.events, 0);
    free(text);
    client_close(&client);
}

static void
a_command_longer_than_the_sockets_buffers_arrives(void **state)
{
    enum { LONG = 1500 * 1024 };
    struct client client;
    char *text = malloc(LONG + 1);
    json_t *arguments;

    (void)state;
    memset(text, 'y', LONG);
    text[LONG] = '\0';
    arguments = json_pack("{s:s}", "text", text);
    client_start(&client);
    for (int i = 0; i < 5; i++) {
        const struct qmp_command command = { .name = "migrate",
                                             .arguments = arguments,
                                             .timeout_ms = 20000,
                                             .on_reply = on_reply,
                                             .arg = &client };
        assert_int_equal(qmp_execute(client.qmp, &command), 0);
    }
    STAGE_UNTIL(&client.stage, client.replies == 5);
    assert_true(
        json_equal(qmp_server_last(&client.server, "migrate"), arguments));
    json_decref(arguments);
    free(text);
    client_close(&client);
}

static void
a_command_without_a_reply_is_given_up(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_answer(&client.server, "slow", NULL);
    ask(&client, "slow");
    ask_within(&client, "slow", 30);
    STAGE_UNTIL(&client.stage, client.replies == 1);
    assert_string_equal(client.values[0],
                        "error: QEMU gave no reply to slow within 30 ms");
    assert_string_equal(client.classes[0], "-");
    qmp_server_say(&client.server, "{\"return\": 3, \"id\": \"mig-3\"}\n"
                                   "{\"return\": 2, \"id\": \"mig-2\"}\n");
    STAGE_UNTIL(&client.stage, client.replies == 2);
    assert_string_equal(client.values[1], "2");
    assert_false(client.ended);
    client_close(&client);
}

static void
an_idle_connection_wakes_nobody_up(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_answer(&client.server, "slow", NULL);
    ask(&client, "slow");
    STAGE_UNTIL(&client.stage, client.server.command_count == 2);
    assert_true(stage_turns_in(&client.stage, 200) <= 2);
    client_close(&client);
}

static void
a_socket_that_comes_later_is_waited_for(void **state)
{
    struct client client;
    char later[80];

    (void)state;
    client_open(&client);
    snprintf(later, sizeof later, "%s/later", client.dir);
    client_connect(&client, later);
    for (int i = 0; i < 3; i++)
        stage_turn(&client.stage);
    assert_false(client.ended);
    assert_return_code(rename(client.path, later), 0);
    STAGE_UNTIL(&client.stage, client.ready);
    client_close(&client);
}

static void
connect_briefly(struct client *client, const char *target)
{
    struct qmp_options options = {
        .connect_ms = 60,
        .greet_ms = 60,
        .on_ready = on_ready,
        .on_event = on_event,
        .on_end = on_end,
        .arg = client,
    };

    assert_null(qmp_target_parse(target, &options.target));
    client->qmp = qmp_new(client->stage.loop, &options);
    assert_non_null(client->qmp);
}

static void
a_socket_that_never_comes_is_named_missing(void **state)
{
    struct client client;
    char path[80];

    (void)state;
    client_open(&client);
    snprintf(path, sizeof path, "%s/none", client.dir);
    connect_briefly(&client, path);
    assert_end(&client, QMP_UNREACHABLE, "no such socket");
    client_close(&client);
}

static void
a_socket_without_a_listener_is_named_so(void **state)
{
    struct client client;

    (void)state;
    client_open(&client);
    qmp_server_exit(&client.server);
    connect_briefly(&client, client.path);
    assert_end(&client, QMP_UNREACHABLE, "no QEMU listens");
    client_close(&client);
}

static void
a_qemu_that_does_not_greet_is_perhaps_busy(void **state)
{
    struct client client;

    (void)state;
    client_open(&client);
    client.server.silent = true;
    connect_briefly(&client, client.path);
    assert_end(&client, QMP_UNREACHABLE, "one program at a time");
    client_close(&client);
}

static void
a_qemu_that_does_not_negotiate_is_given_up(void **state)
{
    struct client client;

    (void)state;
    client_open(&client);
    qmp_server_answer(&client.server, "qmp_capabilities", NULL);
    connect_briefly(&client, client.path);
    assert_end(&client, QMP_UNREACHABLE, "no reply to qmp_capabilities");
    client_close(&client);
}

static void
tcp_works_as_well(void **state)
{
    struct client client;
    struct qmp_server server;
    uint16_t port;
    char target[32];

    (void)state;
    client_open(&client);
    qmp_server_open_fd(&server, &client.stage, net_listen_tcp(&port, 4));
    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)port);
    client_connect(&client, target);
    STAGE_UNTIL(&client.stage, client.ready);
    ask(&client, "query-status");
    STAGE_UNTIL(&client.stage, client.replies == 1);
    qmp_server_close(&server);
    assert_end(&client, QMP_CLOSED, "closed the connection");
    client_close(&client);
}

static void
nobody_on_tcp_is_an_end(void **state)
{
    struct client client;
    char target[32];

    (void)state;
    client_open(&client);
    snprintf(target, sizeof target, "127.0.0.1:%u",
             (unsigned)net_unused_port());
    connect_briefly(&client, target);
    assert_end(&client, QMP_UNREACHABLE, "refused");
    client_close(&client);
}

static void
something_else_than_qmp_is_named(void **state)
{
    static const char *const words[] = { "SSH-2.0-OpenSSH_9.2\r\n", "{}\n",
                                         "[]\n", "{\"event\": 1}\n" };
    struct client client;

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        client_open(&client);
        client.server.silent = true;
        client_connect(&client, client.path);
        STAGE_UNTIL(&client.stage, client.server.connection != NULL);
        qmp_server_say(&client.server, words[i]);
        assert_end(&client, QMP_UNREACHABLE, "does not speak QMP");
        client_close(&client);
    }
}

static void
garbage_later_breaks_the_connection(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_say(&client.server, "garbage\n");
    assert_end(&client, QMP_BROKEN, "does not speak QMP");
    client_close(&client);
}

static void
a_second_greeting_and_early_events_are_passed_over(void **state)
{
    struct client client;

    (void)state;
    client_open(&client);
    client.server.silent = true;
    client_connect(&client, client.path);
    STAGE_UNTIL(&client.stage, client.server.connection != NULL);
    qmp_server_say(&client.server, "{\"event\": \"STOP\"}\n{\"QMP\": {}}\n"
                                   "{\"QMP\": {}}\n");
    STAGE_UNTIL(&client.stage, client.ready);
    assert_int_equal(client.events, 0);
    assert_int_equal(client.server.command_count, 1);
    client_close(&client);
}

static void
no_command_is_taken_before_it_is_ready_or_after_its_end(void **state)
{
    const struct qmp_command command = { .name = "query-status",
                                         .timeout_ms = 20000,
                                         .on_reply = on_reply };
    struct client client;

    (void)state;
    client_open(&client);
    client_connect(&client, client.path);
    assert_int_equal(qmp_execute(client.qmp, &command), -1);
    assert_int_equal(errno, ENOTCONN);
    STAGE_UNTIL(&client.stage, client.ready);
    qmp_server_hang_up(&client.server);
    assert_end(&client, QMP_CLOSED, "closed");
    assert_int_equal(qmp_execute(client.qmp, &command), -1);
    assert_int_equal(errno, ENOTCONN);
    client_close(&client);
}

static void
a_command_that_is_no_utf_8_is_told_from_a_lack_of_memory(void **state)
{
    const struct qmp_command command = { .name = "\xff",
                                         .timeout_ms = 20000,
                                         .on_reply = on_reply };
    struct client client;

    (void)state;
    client_open(&client);
    client_connect(&client, client.path);
    STAGE_UNTIL(&client.stage, client.ready);
    assert_int_equal(qmp_execute(client.qmp, &command), -1);
    assert_int_equal(errno, EILSEQ);
    client_close(&client);
}

static void
the_process_that_listens_is_known_to_the_end(void **state)
{
    struct client client;
    pid_t process;

    (void)state;
    client_open(&client);
    process = client.server.process;
    assert_true(process > 0);
    client_connect(&client, client.path);
    STAGE_UNTIL(&client.stage, client.ready);
    assert_int_equal(qmp_peer(client.qmp), process);
    qmp_server_exit(&client.server);
    assert_end(&client, QMP_CLOSED, "closed");
    assert_int_equal(qmp_peer(client.qmp), process);
    client_close(&client);
}

static void
what_qemu_said_last_is_heard_before_the_end(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    qmp_server_say(&client.server, "{\"event\": \"SHUTDOWN\"}\n");
    qmp_server_hang_up(&client.server);
    ask(&client, "query-status");
    STAGE_UNTIL(&client.stage, client.ended);
    assert_int_equal(client.end, QMP_CLOSED);
    assert_string_equal(client.event, "SHUTDOWN -");
    assert_int_equal(client.replies, 0);
    client_close(&client);
}

static void
it_ends_once_wherever_qemu_hangs_up(void **state)
{
    static const char greeting[] = "{\"QMP\": {}}\r\n";
    struct client client;

    (void)state;
    for (size_t cut = 0; cut < sizeof greeting; cut++) {
        char part[sizeof greeting] = "";

        client_open(&client);
        client.server.silent = true;
        qmp_server_answer(&client.server, "qmp_capabilities", NULL);
        client_connect(&client, client.path);
        STAGE_UNTIL(&client.stage, client.server.connection != NULL);
        memcpy(part, greeting, cut);
        qmp_server_say(&client.server, part);
        qmp_server_hang_up(&client.server);
        assert_end(&client, QMP_UNREACHABLE, "closed");
        client_close(&client);
    }
}

static void
it_may_be_freed_in_every_callback(void **state)
{
    struct client client;

    (void)state;
    for (int i = 0; i < 4; i++) {
        client_open(&client);
        client.frees_when_ready = i == 0;
        client.frees_on_event = i == 1;
        client.frees_on_reply = i == 2;
        client.frees_at_end = i == 3;
        client_connect(&client, client.path);
        STAGE_UNTIL(&client.stage, client.ready);
        if (i == 1)
            qmp_server_say(&client.server,
                           "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
        if (i == 2) {
            ask(&client, "query-status");
            ask(&client, "query-status");
        }
        if (i == 3)
            qmp_server_hang_up(&client.server);
        STAGE_UNTIL(&client.stage, client.qmp == NULL);
        stage_turns_in(&client.stage, 20);
        assert_int_equal(client.events, i == 1);
        assert_int_equal(client.replies, i == 2);
        client_close(&client);
    }
}

static void
it_may_be_freed_when_a_command_is_given_up(void **state)
{
    struct client client;

    (void)state;
    client_start(&client);
    client.frees_on_reply = true;
    qmp_server_answer(&client.server, "slow", NULL);
    ask_within(&client, "slow", 20);
    ask_within(&client, "slow", 20);
    STAGE_UNTIL(&client.stage, client.qmp == NULL);
    assert_int_equal(client.replies, 1);
    client_close(&client);
}

static void
it_may_be_freed_before_it_is_connected(void **state)
{
    struct client client;

    (void)state;
    client_open(&client);
    client_connect(&client, client.path);
    qmp_free(client.qmp);
    client.qmp = NULL;
    qmp_free(NULL);
    stage_turns_in(&client.stage, 20);
    assert_int_equal(client.ready, 0);
    client_close(&client);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_when_qemu_has_greeted_and_agreed),
        cmocka_unit_test(a_reply_comes_to_its_command),
        cmocka_unit_test(arguments_arrive_as_they_are),
        cmocka_unit_test(replies_in_another_order_find_their_commands),
        cmocka_unit_test(events_come_with_their_data),
        cmocka_unit_test(a_message_may_come_in_pieces_and_over_lines),
        cmocka_unit_test(a_message_of_a_mebibyte_is_taken),
        cmocka_unit_test(a_longer_message_ends_the_connection),
        cmocka_unit_test(a_command_longer_than_the_sockets_buffers_arrives),
        cmocka_unit_test(a_command_without_a_reply_is_given_up),
        cmocka_unit_test(an_idle_connection_wakes_nobody_up),
        cmocka_unit_test(a_socket_that_comes_later_is_waited_for),
        cmocka_unit_test(a_socket_that_never_comes_is_named_missing),
        cmocka_unit_test(a_socket_without_a_listener_is_named_so),
        cmocka_unit_test(a_qemu_that_does_not_greet_is_perhaps_busy),
        cmocka_unit_test(a_qemu_that_does_not_negotiate_is_given_up),
        cmocka_unit_test(tcp_works_as_well),
        cmocka_unit_test(nobody_on_tcp_is_an_end),
        cmocka_unit_test(something_else_than_qmp_is_named),
        cmocka_unit_test(garbage_later_breaks_the_connection),
        cmocka_unit_test(a_second_greeting_and_early_events_are_passed_over),
        cmocka_unit_test(
            no_command_is_taken_before_it_is_ready_or_after_its_end),
        cmocka_unit_test(
            a_command_that_is_no_utf_8_is_told_from_a_lack_of_memory),
        cmocka_unit_test(the_process_that_listens_is_known_to_the_end),
        cmocka_unit_test(what_qemu_said_last_is_heard_before_the_end),
        cmocka_unit_test(it_ends_once_wherever_qemu_hangs_up),
        cmocka_unit_test(it_may_be_freed_in_every_callback),
        cmocka_unit_test(it_may_be_freed_when_a_command_is_given_up),
        cmocka_unit_test(it_may_be_freed_before_it_is_connected),
    };

    return RUN_TESTS(tests);
}
