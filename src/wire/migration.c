#include "wire/migration.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "wire/qmp_message.h"

static const char *const status_names[] = {
#define STATUS_NAME(name, text) [MIGRATION_##name] = (text),
    MIGRATION_STATUSES(STATUS_NAME)
#undef STATUS_NAME
};

/* Where each number stands in the reply. */
static const struct field {
    const char *section; /* NULL for the reply itself */
    const char *name;
    size_t offset;
} fields[] = {
#define FIELD(section, name, member)                      \
    {                                                     \
        section, name, offsetof(struct migration, member) \
    }
    FIELD(NULL, "total-time", total_time_ms),
    FIELD(NULL, "setup-time", setup_time_ms),
    FIELD(NULL, "downtime", downtime_ms),
    FIELD(NULL, "expected-downtime", expected_downtime_ms),
    FIELD(NULL, "cpu-throttle-percentage", throttle_percent),
    FIELD("ram", "transferred", transferred_bytes),
    FIELD("ram", "remaining", remaining_bytes),
    FIELD("ram", "total", total_bytes),
    FIELD("ram", "normal-bytes", normal_bytes),
    FIELD("ram", "duplicate", zero_pages),
    FIELD("ram", "page-size", page_size_bytes),
    FIELD("ram", "dirty-pages-rate", dirty_pages_per_s),
    FIELD("ram", "dirty-sync-count", iteration),
    FIELD("ram", "mbps", mbits_per_s),
#undef FIELD
};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static int64_t *
member(struct migration *migration, const struct field *field)
{
    return (int64_t *)(void *)((char *)migration + field->offset);
}

static int64_t
number(const json_t *value)
{
    /* The largest double below 2^63, so that the conversion is defined. */
    static const double most = 9223372036854774784.0;

    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return json_integer_value(value);
    if (json_is_real(value) && json_real_value(value) >= 0)
        return json_real_value(value) > most ? INT64_MAX
                                             : (int64_t)json_real_value(value);
    return MIGRATION_ABSENT;
}

static void
copy_text(char *buf, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    json_text_copy(buf, size, text != NULL ? text : "");
}

static void
parse_status(struct migration *migration, const json_t *value)
{
    const char *name = json_string_value(value);

    migration->status = MIGRATION_NONE;
    if (name == NULL)
        name = status_names[MIGRATION_NONE];
    json_text_copy(migration->status_name, sizeof migration->status_name, name);
    while (migration->status < MIGRATION_UNKNOWN &&
           strcmp(status_names[migration->status], name) != 0)
        migration->status++;
}

/* Before 6.0 there is only a flag; later a list of sentences. */
static void
parse_blocked(struct migration *migration, const json_t *reply)
{
    size_t i, used = 0;
    json_t *reason;

    json_array_foreach(json_object_get(reply, "blocked-reasons"), i, reason)
    {
        const char *text = json_string_value(reason);
        char *end = migration->blocked + used;
        size_t room = sizeof migration->blocked - used;
        if (text == NULL || room < 4)
            continue;
        if (used > 0) {
            *end++ = ';';
            *end++ = ' ';
            room -= 2;
        }
        json_text_copy(end, room, text);
        used = (size_t)(end - migration->blocked) + strlen(end);
    }
    if (used == 0 && json_is_true(json_object_get(reply, "blocked")))
        json_text_copy(migration->blocked, sizeof migration->blocked,
                       "QEMU gives no reason");
}

void
migration_parse(struct migration *migration, const json_t *reply)
{
    memset(migration, 0, sizeof *migration);
    parse_status(migration, json_object_get(reply, "status"));
    copy_text(migration->error, sizeof migration->error,
              json_object_get(reply, "error-desc"));
    parse_blocked(migration, reply);
    const json_t *address =
        json_array_get(json_object_get(reply, "socket-address"), 0);
    copy_text(migration->socket_path, sizeof migration->socket_path,
              json_object_get(address, "path"));
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const json_t *section = reply;
        if (fields[i].section != NULL)
            section = json_object_get(reply, fields[i].section);
        *member(migration, &fields[i]) =
            number(json_object_get(section, fields[i].name));
    }
}

json_t *
migration_json(const struct migration *migration)
{
    json_t *object = json_object(), *ram = json_object();

    json_object_set_new(object, "status", json_string(migration->status_name));
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        int64_t value =
            *(const int64_t *)(const void *)((const char *)migration +
                                             fields[i].offset);
        if (value != MIGRATION_ABSENT)
            json_object_set_new(fields[i].section != NULL ? ram : object,
                                fields[i].name, json_integer(value));
    }
    json_object_set_new(object, "ram", ram);
    return object;
}

void
migration_merge(struct migration *migration, const struct migration *newer)
{
    struct migration merged = *newer;

    for (size_t i = 0; i < FIELD_COUNT; i++) {
        int64_t *value = member(&merged, &fields[i]);
        if (*value == MIGRATION_ABSENT)
            *value = *member(migration, &fields[i]);
    }
    if (merged.error[0] == '\0')
        memcpy(merged.error, migration->error, sizeof merged.error);
    *migration = merged;
}

bool
migration_is_over(enum migration_status status)
{
    return status == MIGRATION_COMPLETED || status == MIGRATION_FAILED ||
           status == MIGRATION_CANCELLED;
}

bool
migration_is_idle(enum migration_status status)
{
    return status == MIGRATION_NONE || migration_is_over(status);
}

bool
migration_is_postcopy(const struct migration *migration)
{
    return strncmp(migration->status_name, "postcopy", strlen("postcopy")) == 0;
}

bool
migration_goes_on(const struct migration *migration)
{
    return migration_is_over(migration->status) ||
           (migration_is_postcopy(migration) &&
            migration->status != MIGRATION_POSTCOPY_PAUSED);
}

bool
migration_destination_failed(const struct migration *migration)
{
    return strstr(migration->error, "write to socket") != NULL ||
           strstr(migration->error, "Sibling indicated error") != NULL ||
           strstr(migration->error, "Failed to connect") != NULL;
}

/* Bytes that QEMU sent by other means, as xbzrle, are only in the sum of the
 * bytes on the wire, so the larger of the two counts. */
int64_t
migration_memory_bytes(const struct migration *migration)
{
    int64_t sent = migration->transferred_bytes;
    int64_t pages = migration->zero_pages, size = migration->page_size_bytes;
    int64_t normal = migration->normal_bytes, zero;

    if (normal == MIGRATION_ABSENT || pages == MIGRATION_ABSENT ||
        size == MIGRATION_ABSENT || __builtin_mul_overflow(pages, size, &zero))
        return sent;
    if (__builtin_add_overflow(normal, zero, &normal))
        return sent;
    return normal > sent ? normal : sent;
}
