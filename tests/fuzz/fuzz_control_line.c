/* A line of the control socket, read as either side does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/control_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was said is one line, and none is longer than its reader takes. */
static void
check_text(const char *text)
{
    size_t length = strlen(text);

    if (length > CONTROL_LINE_MAX + 1 ||
        strchr(text, '\n') != text + length - 1)
        abort();
}

static void
check_message(enum line_type type, const json_t *message)
{
    if ((type == LINE_MESSAGE) != json_is_object(message))
        abort();
}

static bool
same_view(const struct tunnel_view *a, const struct tunnel_view *b)
{
    return a->state == b->state && a->partner == b->partner &&
           strcmp(a->session, b->session) == 0;
}

static void
helper_again(struct helper_line *line)
{
    struct helper_line again;
    char *text = helper_line_text(line);

    if (text == NULL)
        return; /* some numbers are longer when they are written again */
    check_text(text);
    if (helper_line_parse(&again, text, strlen(text)) != REASON_NONE ||
        again.type != line->type || again.version != line->version ||
        again.role != line->role || again.request != line->request ||
        strcmp(again.program, line->program) != 0)
        abort();
    json_decref(again.message);
    free(text);
}

static void
tunnel_again(struct tunnel_line *line)
{
    struct tunnel_line again;
    char *text = tunnel_line_text(line);

    if (text == NULL)
        return; /* so are texts that have to be escaped, or were cut */
    check_text(text);
    if (tunnel_line_parse(&again, text, strlen(text)) != REASON_NONE ||
        again.type != line->type || again.version != line->version ||
        again.request != line->request || again.from != line->from ||
        !same_view(&again.view, &line->view) ||
        strcmp(again.program, line->program) != 0 ||
        strcmp(again.why, line->why) != 0)
        abort();
    json_decref(again.message);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct helper_line helper;
    struct tunnel_line tunnel;

    if (helper_line_parse(&helper, (const char *)data, size) == REASON_NONE) {
        check_message(helper.type, helper.message);
        if (helper.type != LINE_HELLO || helper.version == CONTROL_LINE_VERSION)
            helper_again(&helper);
        json_decref(helper.message);
    }
    if (tunnel_line_parse(&tunnel, (const char *)data, size) == REASON_NONE) {
        check_message(tunnel.type, tunnel.message);
        if (tunnel.type != LINE_HELLO || tunnel.version == CONTROL_LINE_VERSION)
            tunnel_again(&tunnel);
        json_decref(tunnel.message);
    }
    return 0;
}
