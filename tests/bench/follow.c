#include "follow.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "qmp_line.h"

/*
 * Theory of operation.  Events of both QEMUs are read as they come.  Each has
 * the time at which it was sent, by the clock of the host, which both share: so
 * what lies between the source's STOP and the destination's RESUME is known,
 * whatever query-migrate says.
 *
 * Meanwhile the source is asked now and then how much it has sent.  What the
 * link's interface has put on the wire by then is known to the kernel, and the
 * difference is what is held on the way: in sockets' buffers, in the relay, in
 * the queue of the link.  It is what has to leave before the guest's last page
 * can.
 */
enum {
    SAMPLE_MS = 50,
    LINE_ROOM = 512,
    HEADERS_BYTES = 66, /* Ethernet 14, IPv4 20, TCP with timestamps 32 */
};

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* From a line of /proc/net/dev, "NAME: " and its numbers, what it has sent. */
static long long
line_bytes(const char *line, const char *interface)
{
    enum { SENT_BYTES = 8, SENT_PACKETS = 9 };
    size_t length = strlen(interface);
    long long numbers[SENT_PACKETS + 1];
    char *at;

    line += strspn(line, " ");
    if (strncmp(line, interface, length) != 0 || line[length] != ':')
        return -1;
    at = (char *)line + length + 1;
    for (int i = 0; i <= SENT_PACKETS; i++)
        numbers[i] = strtoll(at, &at, 10);
    return numbers[SENT_BYTES] - numbers[SENT_PACKETS] * HEADERS_BYTES;
}

/* What ${interface} has sent, without headers; -1 if there is none. */
static long long
link_bytes(const char *interface)
{
    FILE *file = fopen("/proc/net/dev", "re");
    char line[LINE_ROOM];
    long long sent = -1;

    if (file == NULL)
        return -1;
    while (sent < 0 && fgets(line, sizeof(line), file) != NULL)
        sent = line_bytes(line, interface);
    fclose(file);
    return sent;
}

int
follow_start(struct follow *follow)
{
    /* Only events of this migration count, not an earlier one's. */
    follow->source->migration[0] = '\0';
    follow->source->stopped = 0;
    follow->destination->resumed = 0;
    follow->samples = 0;
    follow->silent_s = 0;
    follow->asked = false;
    follow->ask_ms = 0;
    if (follow->interface == NULL)
        return 0;
    follow->link_start_bytes = link_bytes(follow->interface);
    if (follow->link_start_bytes >= 0)
        return 0;
    log_warnx("%s: no such interface", follow->interface);
    return -1;
}

/* ${info} is an answer of query-migrate. */
static void
take_sample(struct follow *follow, json_t *info)
{
    const char *status = json_string_value(json_object_get(info, "status"));
    json_t *ram = json_object_get(info, "ram");
    long long left = link_bytes(follow->interface) - follow->link_start_bytes;

    if (status == NULL || strcmp(status, "active") != 0 || left <= 0 ||
        follow->samples == FOLLOW_SAMPLES_MAX)
        return;
    follow->held_bytes[follow->samples++] =
        json_integer_value(json_object_get(ram, "transferred")) - left;
}

/* Take all that ${qmp} has to say.  Return 0, or -1 after a line. */
static int
take_all(struct follow *follow, struct qmp_line *qmp)
{
    json_t *result;
    int outcome;

    while ((outcome = qmp_line_take(qmp, &result)) > 0) {
        if (result == NULL)
            continue;
        follow->asked = false;
        take_sample(follow, result);
        json_decref(result);
    }
    return outcome;
}

/* Ask the source how far it is, if it is time to.  Return 0, or -1. */
static int
ask(struct follow *follow)
{
    uint64_t now = now_ms();

    if (follow->interface == NULL || follow->asked || now < follow->ask_ms)
        return 0;
    follow->asked = true;
    follow->ask_ms = now + SAMPLE_MS;
    return qmp_line_send(follow->source, "query-migrate", NULL);
}

static int
wait_for_both(struct follow *follow)
{
    struct pollfd fds[] = {
        { .fd = follow->source->fd, .events = POLLIN },
        { .fd = follow->destination->fd, .events = POLLIN },
    };

    poll(fds, 2, SAMPLE_MS);
    if (take_all(follow, follow->source) != 0)
        return -1;
    return take_all(follow, follow->destination);
}

static bool
is_over(const struct follow *follow)
{
    if (follow->asked || !qmp_line_ended(follow->source))
        return false;
    return strcmp(follow->source->migration, "completed") != 0 ||
           !follow->running || follow->destination->resumed != 0;
}

int
follow_to_end(struct follow *follow)
{
    uint64_t give_up = now_ms() + follow->timeout_ms;

    while (!is_over(follow)) {
        if (now_ms() >= give_up) {
            log_warnx("%s: the migration takes too long", follow->source->path);
            return -1;
        }
        if (wait_for_both(follow) != 0)
            return -1;
        if (!qmp_line_ended(follow->source) && ask(follow) != 0)
            return -1;
    }
    if (strcmp(follow->source->migration, "completed") != 0) {
        log_warnx("%s: migration %s", follow->source->path,
                  follow->source->migration);
        return -1;
    }
    if (!follow->running)
        return 0;
    if (follow->source->stopped == 0) {
        log_warnx("%s: the guest did not run", follow->source->path);
        return -1;
    }
    follow->silent_s = follow->destination->resumed - follow->source->stopped;
    return 0;
}

static int
compare(const void *a, const void *b)
{
    long long first = *(const long long *)a, second = *(const long long *)b;

    return (first > second) - (first < second);
}

long long
follow_held(struct follow *follow, bool most)
{
    size_t count = follow->samples;

    if (count == 0)
        return -1;
    qsort(follow->held_bytes, count, sizeof(*follow->held_bytes), compare);
    return follow->held_bytes[most ? count - 1 : count / 2];
}
