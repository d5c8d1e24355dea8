#include "wire/greeting.h"

#include <string.h>

#include "wire/cursor.h"
#include "wire/unpacker.h"

/*
 * The first twelve bytes are the same in every version, in both directions: the
 * magic, two bytes on versions, the length of the whole.
 */
enum { HEAD_BYTES = 12, MAGIC_BYTES = 8 };
static const char magic[MAGIC_BYTES] = {
    'm', 'i', 'g', '-', 't', 'u', 'n', '\n'
};

enum { FLAG_RESUME = 1, FLAG_FIN_DELIVERED = 2 };

bool
vm_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    size_t length = strlen(name);

    return length > 0 && length <= VM_NAME_MAX &&
           strspn(name, allowed) == length && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static void
put_head(struct cursor *cursor, uint8_t first, uint8_t second, uint16_t length)
{
    cursor_put(cursor, magic, sizeof magic);
    cursor_put_u8(cursor, first);
    cursor_put_u8(cursor, second);
    cursor_put_u16(cursor, length);
}

static void
put_position(struct cursor *cursor, const struct greeting_position *position)
{
    cursor_put_u64(cursor, position->delivered);
    cursor_put_u32(cursor, position->window);
}

static void
get_position(struct cursor *cursor, uint16_t flags,
             struct greeting_position *position)
{
    position->delivered = cursor_get_u64(cursor);
    position->window = cursor_get_u32(cursor);
    position->fin_delivered = (flags & FLAG_FIN_DELIVERED) != 0;
    position->pack_log = 0;
}

/*
 * What came later than the rest, in front of three bytes that are kept for what
 * comes later still.  A greeting that ends before it is from a peer that does
 * not know of it.
 */
static void
put_packing(struct cursor *cursor, const struct greeting_position *position)
{
    cursor_put_u8(cursor, position->pack_log);
}

static void
get_packing(const unsigned char *bytes, size_t used, size_t at,
            struct greeting_position *position)
{
    uint8_t log = used > at ? bytes[at] : 0;

    if (log > PACKED_WINDOW_LOG_MAX)
        log = PACKED_WINDOW_LOG_MAX;
    position->pack_log = log < PACKED_WINDOW_LOG_MIN ? 0 : log;
}

void
client_greeting_encode(const struct client_greeting *greeting,
                       unsigned char bytes[GREETING_CLIENT_BYTES])
{
    char name[VM_NAME_MAX] = { 0 };
    size_t name_length = strlen(greeting->name);
    unsigned flags =
        (greeting->resume ? FLAG_RESUME : 0u) |
        (greeting->position.fin_delivered ? FLAG_FIN_DELIVERED : 0u);
    struct cursor cursor;

    memcpy(name, greeting->name, name_length);
    memset(bytes, 0, GREETING_CLIENT_BYTES);
    cursor_init(&cursor, bytes, GREETING_CLIENT_BYTES);
    put_head(&cursor, greeting->version_min, greeting->version_max,
             GREETING_CLIENT_BYTES);
    cursor_put_u16(&cursor, (uint16_t)flags);
    cursor_put_u16(&cursor, 0);
    cursor_put_u32(&cursor, greeting->channel);
    cursor_put(&cursor, greeting->session, SESSION_ID_BYTES);
    put_position(&cursor, &greeting->position);
    cursor_put_u8(&cursor, (uint8_t)name_length);
    cursor_put(&cursor, name, sizeof name);
    cursor.at = GREETING_CLIENT_MIN;
    put_packing(&cursor, &greeting->position);
}

void
server_greeting_encode(const struct server_greeting *greeting,
                       unsigned char bytes[GREETING_SERVER_BYTES])
{
    unsigned flags = greeting->position.fin_delivered ? FLAG_FIN_DELIVERED : 0u;
    struct cursor cursor;

    memset(bytes, 0, GREETING_SERVER_BYTES);
    cursor_init(&cursor, bytes, GREETING_SERVER_BYTES);
    put_head(&cursor, greeting->version, 0, GREETING_SERVER_BYTES);
    cursor_put_u16(&cursor, (uint16_t)flags);
    cursor_put_u16(&cursor, (uint16_t)greeting->reason);
    cursor_put_u32(&cursor, greeting->channel);
    put_position(&cursor, &greeting->position);
    put_packing(&cursor, &greeting->position);
}

/*
 * Check the head of a greeting of at least ${min} bytes, and whether all of it
 * is there.
 */
static enum greeting_progress
check_head(const unsigned char *bytes, size_t length, size_t min, size_t *used)
{
    size_t known = length < MAGIC_BYTES ? length : MAGIC_BYTES;

    if (memcmp(bytes, magic, known) != 0)
        return GREETING_FOREIGN;
    *used = HEAD_BYTES;
    if (length < HEAD_BYTES)
        return GREETING_MORE;
    *used = (size_t)bytes[HEAD_BYTES - 2] << 8 | bytes[HEAD_BYTES - 1];
    if (*used < min || *used > GREETING_MAX)
        return GREETING_FOREIGN;
    return length < *used ? GREETING_MORE : GREETING_DONE;
}

static bool
take_name(struct client_greeting *greeting, struct cursor *cursor)
{
    size_t length = cursor_get_u8(cursor);

    memset(greeting->name, 0, sizeof greeting->name);
    if (length > VM_NAME_MAX)
        return false;
    cursor_get(cursor, greeting->name, length);
    return strlen(greeting->name) == length;
}

enum greeting_progress
client_greeting_parse(struct client_greeting *greeting, const void *bytes,
                      size_t length, size_t *used)
{
    unsigned char copy[GREETING_CLIENT_MIN];
    enum greeting_progress progress =
        check_head(bytes, length, sizeof copy, used);
    struct cursor cursor;
    uint16_t flags, zero;
    bool named;

    if (progress != GREETING_DONE)
        return progress;
    memcpy(copy, bytes, sizeof copy);
    cursor_init(&cursor, copy, sizeof copy);
    cursor.at = MAGIC_BYTES;
    greeting->version_min = cursor_get_u8(&cursor);
    greeting->version_max = cursor_get_u8(&cursor);
    (void)cursor_get_u16(&cursor); /* the length */
    flags = cursor_get_u16(&cursor);
    zero = cursor_get_u16(&cursor);
    greeting->resume = (flags & FLAG_RESUME) != 0;
    greeting->channel = cursor_get_u32(&cursor);
    cursor_get(&cursor, greeting->session, SESSION_ID_BYTES);
    get_position(&cursor, flags, &greeting->position);
    get_packing(bytes, *used, sizeof copy, &greeting->position);
    named = take_name(greeting, &cursor);
    if (greeting->version_min > greeting->version_max)
        return GREETING_FOREIGN;
    if (greeting_version(greeting) == 0)
        return GREETING_DONE; /* its other fields may mean anything */
    if (!named || zero != 0 ||
        (flags & ~(FLAG_RESUME | FLAG_FIN_DELIVERED)) != 0)
        return GREETING_FOREIGN;
    return GREETING_DONE;
}

enum greeting_progress
server_greeting_parse(struct server_greeting *greeting, const void *bytes,
                      size_t length, size_t *used)
{
    unsigned char copy[GREETING_SERVER_MIN];
    enum greeting_progress progress =
        check_head(bytes, length, sizeof copy, used);
    struct cursor cursor;
    uint16_t flags;

    if (progress != GREETING_DONE)
        return progress;
    memcpy(copy, bytes, sizeof copy);
    cursor_init(&cursor, copy, sizeof copy);
    cursor.at = MAGIC_BYTES;
    greeting->version = cursor_get_u8(&cursor);
    (void)cursor_get_u8(&cursor);
    (void)cursor_get_u16(&cursor); /* the length */
    flags = cursor_get_u16(&cursor);
    greeting->reason = reason_known(cursor_get_u16(&cursor));
    greeting->channel = cursor_get_u32(&cursor);
    get_position(&cursor, flags, &greeting->position);
    get_packing(bytes, *used, sizeof copy, &greeting->position);
    if (greeting->reason == REASON_NONE && (flags & ~FLAG_FIN_DELIVERED) != 0)
        return GREETING_FOREIGN;
    return GREETING_DONE;
}

uint8_t
greeting_version(const struct client_greeting *greeting)
{
    uint8_t highest = greeting->version_max;

    if (highest > PROTOCOL_VERSION_MAX)
        highest = PROTOCOL_VERSION_MAX;
    if (highest < greeting->version_min || highest < PROTOCOL_VERSION_MIN)
        return 0;
    return highest;
}

bool
greeting_claims(const struct client_greeting *greeting)
{
    return greeting->position.delivered > 0 || greeting->position.fin_delivered;
}

bool
greeting_begins(const void *bytes, size_t length)
{
    enum { ENOUGH = 4 };

    return length >= ENOUGH &&
           memcmp(bytes, magic, length < MAGIC_BYTES ? length : MAGIC_BYTES) ==
               0;
}
