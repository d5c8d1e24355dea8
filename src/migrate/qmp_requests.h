/* The commands that a QMP connection waits for the replies of. */
#ifndef MIGRATE_QMP_REQUESTS_H
#define MIGRATE_QMP_REQUESTS_H

#include <stdint.h>
#include <sys/queue.h>

#include "migrate/qmp.h"

enum { QMP_ID_MAX = 24 };

struct qmp_request {
    TAILQ_ENTRY(qmp_request) entry;
    char id[QMP_ID_MAX];
    char name[48];
    uint64_t timeout_ms;
    uint64_t deadline_ms;
    void (*on_reply)(void *arg, const struct qmp_reply *reply);
    void *arg;
};

struct qmp_requests {
    TAILQ_HEAD(qmp_request_list, qmp_request) list;
    uint64_t last_id;
};

/**
 * qmp_requests_init(requests):
 * qmp_requests_fini(requests):
 * Start with none; free all that there are, without a word.
 */
void qmp_requests_init(struct qmp_requests *requests);
void qmp_requests_fini(struct qmp_requests *requests);

/**
 * qmp_request_new(requests, command, now_ms):
 * Return a request for ${command}, sent at ${now_ms}, with an id of its own,
 * or NULL if there is no memory.  It belongs to ${requests}.
 */
struct qmp_request *qmp_request_new(struct qmp_requests *requests,
                                    const struct qmp_command *command,
                                    uint64_t now_ms);

/**
 * qmp_requests_find(requests, id):
 * Return the request with ${id}, or NULL.
 */
struct qmp_request *qmp_requests_find(const struct qmp_requests *requests,
                                      const char *id);

/**
 * qmp_requests_earliest(requests):
 * Return the request whose time is up first, or NULL if there is none.
 */
struct qmp_request *qmp_requests_earliest(const struct qmp_requests *requests);

/**
 * qmp_request_drop(requests, request):
 * Free ${request} without a word.
 */
void qmp_request_drop(struct qmp_requests *requests,
                      struct qmp_request *request);

/**
 * qmp_request_answer(requests, request, reply):
 * Free ${request}, then call back with ${reply}.  The callback may end
 * ${requests}.
 */
void qmp_request_answer(struct qmp_requests *requests,
                        struct qmp_request *request,
                        const struct qmp_reply *reply);

/**
 * qmp_request_expire(requests, request):
 * The same with an error that says that there was no reply in time.
 */
void qmp_request_expire(struct qmp_requests *requests,
                        struct qmp_request *request);

#endif
