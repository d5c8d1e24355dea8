/*
 * A QEMU of the test's own: it speaks QMP on the test's loop, keeps
 * capabilities and parameters as they are set, and does else what it is told.
 */
#ifndef SUPPORT_QMP_SERVER_H
#define SUPPORT_QMP_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "wire/qmp_message.h"
#include "wire/splitter.h"

struct bufferevent;
struct event;
struct stage;

enum { QMP_SERVER_ANSWERS = 32, QMP_SERVER_COMMANDS = 256 };

struct qmp_server {
    struct stage *stage;
    int listener;
    pid_t process; /* the QEMU's, to who asks the socket; 0 over TCP */
    int leash;     /* it ends when this is closed */
    struct event *acceptable;
    struct bufferevent *connection; /* NULL if there is none */
    struct splitter input;

    struct qmp_version version; /* of the greeting */
    bool silent;                /* do not greet */
    bool greeted;               /* the client has accepted the greeting */
    json_t *capabilities;       /* as query-migrate-capabilities returns them */
    json_t *parameters;

    struct {
        const char *command;
        const char *answer; /* without its id; NULL for none */
    } answers[QMP_SERVER_ANSWERS];
    size_t answer_count;

    json_t *commands[QMP_SERVER_COMMANDS]; /* all that came, whole */
    size_t command_count;

    /**
     * on_command(server, name):
     * The command ${name} has come; its answer is already on its way.  May be
     * NULL.
     */
    void (*on_command)(struct qmp_server *server, const char *name);
    void *arg; /* the test's own */
};

/**
 * qmp_server_open(server, stage, path):
 * Listen at ${path}: a QEMU 7.2 with a running VM and no migration.  It has a
 * process of its own, whose command line has -incoming.
 */
void qmp_server_open(struct qmp_server *server, struct stage *stage,
                     const char *path);

/**
 * qmp_server_open_proxy(server, stage, path):
 * The same, but the process is a program between us and the QEMU.
 */
void qmp_server_open_proxy(struct qmp_server *server, struct stage *stage,
                           const char *path);

/**
 * qmp_server_open_fd(server, stage, fd):
 * The same on the listening socket ${fd}, without a process of its own.
 */
void qmp_server_open_fd(struct qmp_server *server, struct stage *stage, int fd);
void qmp_server_close(struct qmp_server *server);

/**
 * qmp_server_answer(server, command, answer):
 * From now on answer ${command} with the JSON object ${answer}, to which its id
 * is added; NULL is no answer at all.  Both texts must outlive the server.
 */
void qmp_server_answer(struct qmp_server *server, const char *command,
                       const char *answer);

/**
 * qmp_server_say(server, text):
 * Send ${text} as it is.
 */
void qmp_server_say(struct qmp_server *server, const char *text);

/**
 * qmp_server_migration(server, status, answer):
 * From now on answer query-migrate with ${answer}, and send a MIGRATION event
 * with ${status}.
 */
void qmp_server_migration(struct qmp_server *server, const char *status,
                          const char *answer);

/**
 * qmp_server_hang_up(server):
 * Close the connection when what was said before has been sent.
 */
void qmp_server_hang_up(struct qmp_server *server);

/**
 * qmp_server_exit(server):
 * The same, and listen no more: the process has exited.
 */
void qmp_server_exit(struct qmp_server *server);

/**
 * qmp_server_count(server, command):
 * Return how often ${command} has come.
 */
unsigned qmp_server_count(const struct qmp_server *server, const char *command);

/**
 * qmp_server_last(server, command):
 * Return the arguments of ${command} when it came last, or NULL.
 */
json_t *qmp_server_last(const struct qmp_server *server, const char *command);

/**
 * qmp_server_capability(server, name):
 * Return whether the capability ${name} is on.
 */
bool qmp_server_capability(const struct qmp_server *server, const char *name);

#endif
