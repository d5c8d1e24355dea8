#include "migrate/qmp_requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
qmp_requests_init(struct qmp_requests *requests)
{
    TAILQ_INIT(&requests->list);
    requests->last_id = 0;
}

void
qmp_requests_fini(struct qmp_requests *requests)
{
    struct qmp_request *request;

    while ((request = TAILQ_FIRST(&requests->list)) != NULL)
        qmp_request_drop(requests, request);
}

struct qmp_request *
qmp_request_new(struct qmp_requests *requests,
                const struct qmp_command *command, uint64_t now_ms)
{
    struct qmp_request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    snprintf(request->id, sizeof request->id, "mig-%" PRIu64,
             ++requests->last_id);
    snprintf(request->name, sizeof request->name, "%s", command->name);
    request->timeout_ms = command->timeout_ms;
    request->deadline_ms = now_ms + command->timeout_ms;
    request->on_reply = command->on_reply;
    request->arg = command->arg;
    TAILQ_INSERT_TAIL(&requests->list, request, entry);
    return request;
}

struct qmp_request *
qmp_requests_find(const struct qmp_requests *requests, const char *id)
{
    struct qmp_request *request = TAILQ_FIRST(&requests->list);

    while (request != NULL && strcmp(request->id, id) != 0)
        request = TAILQ_NEXT(request, entry);
    return request;
}

struct qmp_request *
qmp_requests_earliest(const struct qmp_requests *requests)
{
    struct qmp_request *first = TAILQ_FIRST(&requests->list);
    struct qmp_request *request = first;

    for (; request != NULL; request = TAILQ_NEXT(request, entry))
        if (request->deadline_ms < first->deadline_ms)
            first = request;
    return first;
}

void
qmp_request_drop(struct qmp_requests *requests, struct qmp_request *request)
{
    TAILQ_REMOVE(&requests->list, request, entry);
    free(request);
}

void
qmp_request_answer(struct qmp_requests *requests, struct qmp_request *request,
                   const struct qmp_reply *reply)
{
    void (*on_reply)(void *, const struct qmp_reply *) = request->on_reply;
    void *arg = request->arg;

    qmp_request_drop(requests, request);
    on_reply(arg, reply);
}

void
qmp_request_expire(struct qmp_requests *requests, struct qmp_request *request)
{
    char why[128];
    const struct qmp_reply reply = { .error = why };

    snprintf(why, sizeof why, "QEMU gave no reply to %s within %" PRIu64 " ms",
             request->name, request->timeout_ms);
    qmp_request_answer(requests, request, &reply);
}
