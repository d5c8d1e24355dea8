/* What mig-send and mig-recv say to each other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/partner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text, size_t size)
{
    if (memchr(text, '\0', size) == NULL)
        abort();
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

static void
check_value(const json_t *value, int depth)
{
    const char *name;
    json_t *inner;
    size_t i;

    if (depth > PARTNER_DEPTH_MAX)
        abort();
    if (json_is_string(value))
        check_text(json_string_value(value), json_string_length(value) + 1);
    json_array_foreach(value, i, inner)
    {
        check_value(inner, depth + 1);
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, inner)
    {
        check_text(name, strlen(name) + 1);
        check_value(inner, depth + 1);
    }
}

/* What was read can be said again, unless numbers have grown too long by that,
 * and is then the same. */
static void
say_again(const struct partner_message *message, size_t size)
{
    char *text = partner_text(message), *twice;
    struct partner_message again;

    if (text == NULL) {
        if (size < PARTNER_TEXT_MAX / 16)
            abort();
        return;
    }
    if (strchr(text, '\n') != NULL ||
        partner_parse(&again, text, strlen(text)) != REASON_NONE)
        abort();
    twice = partner_text(&again);
    if (twice == NULL || strcmp(text, twice) != 0)
        abort();
    partner_fini(&again);
    free(twice);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct partner_message message;

    switch (partner_parse(&message, (const char *)data, size)) {
    case REASON_NONE: break;
    case REASON_BAD_CONTROL:
        if (message.capabilities != NULL || message.parameters != NULL ||
            message.body != NULL)
            abort();
        return 0;
    default: abort();
    }
    check_text(message.program, sizeof message.program);
    check_text(message.program_version, sizeof message.program_version);
    check_text(message.why, sizeof message.why);
    check_value(message.capabilities, 1);
    check_value(message.parameters, 1);
    check_value(message.body, 1);
    say_again(&message, size);
    partner_fini(&message);
    return 0;
}
