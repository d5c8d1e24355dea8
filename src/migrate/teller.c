#include "migrate/teller.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/timer.h"

/* A new session between the same tunnels takes a moment. */
enum { LASTS_MS = 3000 };

struct teller {
    struct timer *timer;
    enum handover_tell next; /* when the timer fires */
    enum handover_tell last;
    char send[HANDOVER_COMMAND_MAX];
    char recv[HANDOVER_COMMAND_MAX];
    void (*on_told)(void *arg, enum handover_tell tell);
    void *arg;
};

static bool
is_about_hearing(enum handover_tell tell)
{
    return tell == TELL_SEE_DESTINATION || tell == TELL_SEE_SOURCE;
}

static void
write_line(const struct teller *teller, enum handover_tell tell)
{
    const struct handover_commands commands = { teller->send, teller->recv };
    char text[HANDOVER_TEXT_MAX];

    log_warnx("handover: %s", handover_tell_text(text, tell, &commands));
}

static void
on_timer(void *arg)
{
    struct teller *teller = arg;
    enum handover_tell tell = teller->next;

    if (tell != teller->last)
        write_line(teller, tell);
    teller->last = tell;
    if (tell <= TELL_LAST_INSTRUCTION)
        teller->on_told(teller->arg, tell);
}

struct teller *
teller_new(struct loop *loop,
           void (*on_told)(void *arg, enum handover_tell tell), void *arg)
{
    struct teller *teller = calloc(1, sizeof *teller);

    if (teller == NULL)
        return NULL;
    teller->on_told = on_told;
    teller->arg = arg;
    teller_commands(teller, "mig-send", "mig-recv");
    teller->timer = timer_new(loop, on_timer, teller);
    if (teller->timer != NULL)
        return teller;
    free(teller);
    return NULL;
}

void
teller_free(struct teller *teller)
{
    if (teller == NULL)
        return;
    timer_free(teller->timer);
    free(teller);
}

void
teller_commands(struct teller *teller, const char *send, const char *recv)
{
    if (send != NULL)
        snprintf(teller->send, sizeof teller->send, "%s", send);
    if (recv != NULL)
        snprintf(teller->recv, sizeof teller->recv, "%s", recv);
}

void
teller_tell(struct teller *teller, enum handover_tell tell)
{
    if (tell == TELL_NOTHING || tell == teller->last)
        return;
    if (tell > TELL_LAST_INSTRUCTION) {
        write_line(teller, tell);
        return;
    }
    teller->next = tell;
    timer_start(teller->timer, is_about_hearing(tell) ? LASTS_MS : 0);
}

void
teller_tell_now(struct teller *teller, enum handover_tell tell)
{
    timer_stop(teller->timer);
    if (tell != TELL_NOTHING && tell != teller->last)
        write_line(teller, tell);
    teller->last = tell;
}

void
teller_end(struct teller *teller)
{
    if (is_about_hearing(teller->next))
        timer_stop(teller->timer);
}

void
teller_partner_came(struct teller *teller)
{
    teller_end(teller);
    if (is_about_hearing(teller->last))
        teller->last = TELL_NOTHING;
}
