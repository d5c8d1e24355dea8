#include "support_qmp_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "io/loop.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

static const char capabilities[] =
    "[{\"capability\": \"events\", \"state\": false},"
    " {\"capability\": \"return-path\", \"state\": false},"
    " {\"capability\": \"multifd\", \"state\": true},"
    " {\"capability\": \"xbzrle\", \"state\": false},"
    " {\"capability\": \"auto-converge\", \"state\": false}]";

static const char parameters[] =
    "{\"max-bandwidth\": 134217728, \"downtime-limit\": 300,"
    " \"multifd-channels\": 2, \"tls-creds\": \"\"}";

static void
send_json(struct qmp_server *server, json_t *object)
{
    char *text = json_dumps(object, 0);

    assert_non_null(text);
    qmp_server_say(server, text);
    qmp_server_say(server, "\r\n");
    free(text);
    json_decref(object);
}

static void
greet(struct qmp_server *server)
{
    send_json(server,
              json_pack("{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[s]}}", "QMP",
                        "version", "qemu", "micro", server->version.micro,
                        "minor", server->version.minor, "major",
                        server->version.major, "package", "", "capabilities",
                        "oob"));
}

static void
set_capability(struct qmp_server *server, const char *name, json_t *state)
{
    json_t *entry;
    size_t i;

    json_array_foreach(server->capabilities, i, entry)
    {
        const char *this =
            json_string_value(json_object_get(entry, "capability"));
        if (strcmp(this, name) == 0)
            json_object_set(entry, "state", state);
    }
}

/* What QEMU would answer; a new reference, or NULL. */
static json_t *
own_answer(struct qmp_server *server, const char *name, json_t *arguments)
{
    json_t *entry;
    size_t i;

    if (strcmp(name, "query-migrate-capabilities") == 0)
        return json_pack("{s:O}", "return", server->capabilities);
    if (strcmp(name, "query-migrate-parameters") == 0)
        return json_pack("{s:O}", "return", server->parameters);
    if (strcmp(name, "migrate-set-parameters") == 0) {
        json_object_update(server->parameters, arguments);
    } else if (strcmp(name, "migrate-set-capabilities") == 0) {
        json_array_foreach(json_object_get(arguments, "capabilities"), i, entry)
            set_capability(
                server, json_string_value(json_object_get(entry, "capability")),
                json_object_get(entry, "state"));
    } else if (strcmp(name, "qmp_capabilities") != 0) {
        return json_pack("{s:{s:s, s:s}}", "error", "class", "CommandNotFound",
                         "desc", "there is no such command");
    }
    return json_pack("{s:{}}", "return");
}

static json_t *
find_answer(struct qmp_server *server, const char *name, json_t *arguments)
{
    for (size_t i = 0; i < server->answer_count; i++) {
        const char *answer = server->answers[i].answer;
        if (strcmp(server->answers[i].command, name) == 0)
            return answer != NULL ? json_loads(answer, 0, NULL) : NULL;
    }
    return own_answer(server, name, arguments);
}

static void
on_text(struct qmp_server *server, const char *text, size_t len)
{
    json_t *command = json_loadb(text, len, 0, NULL);
    const char *name = json_string_value(json_object_get(command, "execute"));
    json_t *answer;

    assert_non_null(name);
    assert_true(server->command_count < QMP_SERVER_COMMANDS);
    server->commands[server->command_count++] = command;
    if (strcmp(name, "qmp_capabilities") == 0)
        server->greeted = true;
    answer = find_answer(server, name, json_object_get(command, "arguments"));
    if (answer != NULL) {
        json_object_set(answer, "id", json_object_get(command, "id"));
        send_json(server, answer);
    }
    if (server->on_command != NULL)
        server->on_command(server, name);
}

static void
on_readable(struct bufferevent *connection, void *arg)
{
    struct qmp_server *server = arg;
    struct evbuffer *buffer = bufferevent_get_input(connection);
    const char *text;
    size_t len, room;

    while (server->connection == connection &&
           evbuffer_get_length(buffer) > 0) {
        char *to = splitter_room(&server->input, &room);
        int got = evbuffer_remove(buffer, to, room);
        assert_true(got > 0);
        splitter_add(&server->input, (size_t)got);
        while (server->connection == connection &&
               splitter_next(&server->input, &text, &len) == SPLITTER_TEXT)
            on_text(server, text, len);
    }
}

static void
drop_connection(struct qmp_server *server)
{
    if (server->connection != NULL)
        bufferevent_free(server->connection);
    server->connection = NULL;
    splitter_fini(&server->input);
    splitter_init(&server->input, (size_t)4 << 20);
}

static void
on_connection_end(struct bufferevent *connection, short what, void *arg)
{
    (void)connection;
    (void)what;
    drop_connection(arg);
}

static void
on_acceptable(evutil_socket_t listener, short what, void *arg)
{
    struct qmp_server *server = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd == -1)
        return;
    drop_connection(server);
    server->connection = bufferevent_socket_new(loop_base(server->stage->loop),
                                                fd, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(server->connection);
    bufferevent_setcb(server->connection, on_readable, NULL, on_connection_end,
                      server);
    bufferevent_enable(server->connection, EV_READ | EV_WRITE);
    if (!server->silent)
        greet(server);
}

void
qmp_server_open_fd(struct qmp_server *server, struct stage *stage, int fd)
{
    memset(server, 0, sizeof *server);
    server->stage = stage;
    server->listener = fd;
    server->leash = -1;
    server->version = (struct qmp_version){ 7, 2, 22 };
    splitter_init(&server->input, (size_t)4 << 20);
    server->capabilities = json_loads(capabilities, 0, NULL);
    server->parameters = json_loads(parameters, 0, NULL);
    server->acceptable = event_new(loop_base(stage->loop), fd,
                                   EV_READ | EV_PERSIST, on_acceptable, server);
    event_add(server->acceptable, NULL);
    qmp_server_answer(server, "query-status",
                      "{\"return\": {\"status\": \"running\"}}");
    qmp_server_answer(server, "query-migrate", "{\"return\": {}}");
    qmp_server_answer(server, "migrate", "{\"return\": {}}");
    qmp_server_answer(server, "migrate-incoming", "{\"return\": {}}");
    qmp_server_answer(server, "migrate_cancel", "{\"return\": {}}");
}

/* Replace this process by one that waits for the end of its input, and whose
 * command line ends with ${argument}. */
static void
become(int input, int output, const char *argument)
{
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", "echo; exec 1>&-; read x", "sh", argument,
          (char *)NULL);
    _exit(127);
}

/* Who asks a socket for the peer gets the process that called listen(). */
static void
open_with_process(struct qmp_server *server, struct stage *stage,
                  const char *path, const char *argument)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int leash[2], ready[2];
    char byte;

    assert_return_code(fd, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_return_code(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_return_code(pipe2(leash, O_CLOEXEC), 0);
    assert_return_code(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_return_code(pid, 0);
    if (pid == 0) {
        if (listen(fd, 4) == 0)
            become(leash[0], ready[1], argument);
        _exit(127);
    }
    close(leash[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    qmp_server_open_fd(server, stage, fd);
    server->process = pid;
    server->leash = leash[1];
}

void
qmp_server_open(struct qmp_server *server, struct stage *stage,
                const char *path)
{
    open_with_process(server, stage, path, "-incoming");
}

void
qmp_server_open_proxy(struct qmp_server *server, struct stage *stage,
                      const char *path)
{
    open_with_process(server, stage, path, "proxy");
}

static void
end_process(struct qmp_server *server)
{
    if (server->process != 0) {
        kill(server->process, SIGKILL);
        waitpid(server->process, NULL, 0);
    }
    server->process = 0;
    fd_close(&server->leash);
}

static void
stop_listening(struct qmp_server *server)
{
    if (server->acceptable != NULL)
        event_free(server->acceptable);
    server->acceptable = NULL;
    fd_close(&server->listener);
}

void
qmp_server_close(struct qmp_server *server)
{
    drop_connection(server);
    splitter_fini(&server->input);
    stop_listening(server);
    end_process(server);
    for (size_t i = 0; i < server->command_count; i++)
        json_decref(server->commands[i]);
    json_decref(server->capabilities);
    json_decref(server->parameters);
}

void
qmp_server_answer(struct qmp_server *server, const char *command,
                  const char *answer)
{
    size_t i = 0;

    while (i < server->answer_count &&
           strcmp(server->answers[i].command, command) != 0)
        i++;
    assert_true(i < QMP_SERVER_ANSWERS);
    if (i == server->answer_count)
        server->answer_count++;
    server->answers[i].command = command;
    server->answers[i].answer = answer;
}

void
qmp_server_say(struct qmp_server *server, const char *text)
{
    if (server->connection != NULL)
        bufferevent_write(server->connection, text, strlen(text));
}

void
qmp_server_migration(struct qmp_server *server, const char *status,
                     const char *answer)
{
    qmp_server_answer(server, "query-migrate", answer);
    send_json(server, json_pack("{s:s, s:{s:s}}", "event", "MIGRATION", "data",
                                "status", status));
}

/* The client sees what was said, then the end. */
static void
on_flushed(struct bufferevent *connection, void *arg)
{
    (void)connection;
    drop_connection(arg);
}

void
qmp_server_hang_up(struct qmp_server *server)
{
    struct bufferevent *connection = server->connection;

    if (connection == NULL)
        return;
    if (evbuffer_get_length(bufferevent_get_output(connection)) == 0)
        drop_connection(server);
    else
        bufferevent_setcb(connection, NULL, on_flushed, on_connection_end,
                          server);
}

void
qmp_server_exit(struct qmp_server *server)
{
    stop_listening(server);
    end_process(server);
    qmp_server_hang_up(server);
}

static const char *
name_of(const struct qmp_server *server, size_t i)
{
    return json_string_value(json_object_get(server->commands[i], "execute"));
}

unsigned
qmp_server_count(const struct qmp_server *server, const char *command)
{
    unsigned count = 0;

    for (size_t i = 0; i < server->command_count; i++)
        count += strcmp(name_of(server, i), command) == 0;
    return count;
}

json_t *
qmp_server_last(const struct qmp_server *server, const char *command)
{
    for (size_t i = server->command_count; i-- > 0;)
        if (strcmp(name_of(server, i), command) == 0)
            return json_object_get(server->commands[i], "arguments");
    return NULL;
}

bool
qmp_server_capability(const struct qmp_server *server, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(server->capabilities, i, entry)
    {
        const char *this =
            json_string_value(json_object_get(entry, "capability"));
        if (strcmp(this, name) == 0)
            return json_is_true(json_object_get(entry, "state"));
    }
    return false;
}
