#include "support_partner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"

/* After each callback; the test may want the link freed there. */
static void
called(struct partner *partner)
{
    partner->calls++;
    if (partner->frees == NULL || !partner->frees(partner))
        return;
    partner_link_free(partner->link);
    partner->link = NULL;
}

static void
on_up(void *arg, const struct tunnel_view *view)
{
    struct partner *partner = arg;

    partner->ups++;
    partner->view = *view;
    called(partner);
}

static void
on_state(void *arg, const struct tunnel_view *view)
{
    struct partner *partner = arg;

    partner->states++;
    partner->view = *view;
    called(partner);
}

static void
on_partner(void *arg, bool there)
{
    struct partner *partner = arg;

    assert_int_not_equal(partner->there, there);
    partner->there = there;
    *(there ? &partner->came : &partner->left) += 1;
    called(partner);
}

static char
filler(size_t number, size_t at)
{
    return (char)('a' + (number * 7 + at) % 26);
}

static void
on_message(void *arg, const json_t *message, enum line_from from)
{
    struct partner *partner = arg;
    json_int_t number = json_integer_value(json_object_get(message, "n"));
    const char *fill = json_string_value(json_object_get(message, "fill"));

    partner->messages[from]++;
    if (number != partner->next[from]++ || fill == NULL)
        partner->mismatch = true;
    for (size_t i = 0; fill != NULL && fill[i] != '\0'; i++)
        partner->mismatch |= fill[i] != filler((size_t)number, i);
    called(partner);
}

static void
on_request(void *arg, enum helper_request request)
{
    struct partner *partner = arg;

    partner->requests[request]++;
    called(partner);
}

static void
on_end(void *arg, enum partner_link_end end, const char *why)
{
    struct partner *partner = arg;

    partner->ends++;
    partner->end = end;
    snprintf(partner->why, sizeof partner->why, "%s", why);
    called(partner);
}

void
partner_open(struct partner *partner, struct stage *stage, const char *path,
             enum helper_role role, bool again)
{
    *partner = (struct partner){ 0 };
    partner->link = partner_link_new(&(struct partner_link_options){
        .loop = stage->loop,
        .path = path,
        .program = role == HELPER_DRIVER ? "driver 1" : "observer 1",
        .role = role,
        .again = again,
        .on_up = on_up,
        .on_state = on_state,
        .on_partner = on_partner,
        .on_message = on_message,
        .on_request = on_request,
        .on_end = on_end,
        .arg = partner,
    });
    assert_non_null(partner->link);
}

void
partner_close(struct partner *partner)
{
    partner_link_free(partner->link);
    partner->link = NULL;
}

int
partner_say(struct partner *partner, int number, size_t bytes)
{
    char *fill = malloc(bytes + 1);
    json_t *message;
    int result;

    for (size_t i = 0; i < bytes; i++)
        fill[i] = filler((size_t)number, i);
    fill[bytes] = '\0';
    message = json_pack("{si ss}", "n", number, "fill", fill);
    assert_non_null(message);
    result = partner_link_send(partner->link, message);
    json_decref(message);
    free(fill);
    return result;
}
