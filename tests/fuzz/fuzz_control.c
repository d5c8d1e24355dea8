/* What a peer says over channel 0, from its bytes to the messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/control.h"
#include "wire/splitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that the fuzzer reaches it. */
enum { LIMIT = 1024 };

/* What was read can be said again, and is then the same. */
static void
say_again(const struct control_message *message)
{
    char *text = control_text(message);
    struct control_message again;

    if (text == NULL && message->type == CONTROL_MESSAGE)
        return; /* some numbers are longer when they are written again */
    if (text == NULL || strchr(text, '\n') != text + strlen(text) - 1)
        abort();
    if (control_parse(&again, text, strlen(text)) != REASON_NONE ||
        again.type != message->type || again.reason != message->reason ||
        again.attached != message->attached ||
        !json_equal(again.message, message->message) != !again.message)
        abort();
    control_message_fini(&again);
    free(text);
}

static void
take(const char *text, size_t length)
{
    struct control_message message;

    if (length == 0 || length > LIMIT)
        abort();
    switch (control_parse(&message, text, length)) {
    case REASON_NONE: break;
    case REASON_BAD_CONTROL: return;
    default: abort();
    }
    if (message.type != CONTROL_END && message.reason != REASON_NONE)
        abort();
    if ((message.type == CONTROL_MESSAGE) != (message.message != NULL))
        abort();
    if (reason_known((uint16_t)message.reason) != message.reason)
        abort();
    say_again(&message);
    control_message_fini(&message);
}

/* The first byte says how many bytes a read brings. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum splitter_result result = SPLITTER_NONE;
    struct splitter splitter;
    const char *text;
    size_t length, room, chunk = size > 0 ? (size_t)data[0] + 1 : 1;

    splitter_init(&splitter, LIMIT);
    for (size_t at = 1; at < size && result == SPLITTER_NONE; at += room) {
        char *to = splitter_room(&splitter, &room);

        if (to == NULL)
            abort();
        if (room > chunk)
            room = chunk;
        if (room > size - at)
            room = size - at;
        memcpy(to, data + at, room);
        splitter_add(&splitter, room);
        while ((result = splitter_next(&splitter, &text, &length)) ==
               SPLITTER_TEXT)
            take(text, length);
    }
    splitter_fini(&splitter);
    return 0;
}
