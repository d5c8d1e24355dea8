/* The moves of the modelled world. */
#include <string.h>

#include "support_world_parts.h"

/* One step of a walk through the moves: a copy of the world to be changed. */
struct walk {
    const struct world *from;
    struct world next;
    world_visit *visit;
    void *arg;
};

static struct world *
begin(struct walk *walk)
{
    walk->next = *walk->from;
    world_violation = NULL;
    return &walk->next;
}

static void
end_move(struct walk *walk, enum move_kind kind, const char *name)
{
    walk->visit(walk->arg, &walk->next, kind, name);
}

static void
set_qemu(struct walk *walk, enum end end, uint8_t state, enum move_kind kind,
         const char *name)
{
    begin(walk)->qemu[end] = state;
    end_move(walk, kind, name);
}

static bool
destination_is_out(const struct world *world)
{
    return world->qemu[DESTINATION] == DQ_GONE ||
           world->qemu[DESTINATION] == DQ_FAILED;
}

static void
source_moves_on(struct walk *walk)
{
    const struct world *from = walk->from;
    bool out = destination_is_out(from);

    if (from->qemu[DESTINATION] == DQ_WAITING && !from->ordered) {
        begin(walk)->sent = true;
        walk->next.qemu[SOURCE] = SQ_SWITCHED;
        end_move(walk, MOVE_PROGRESS, "the source has sent all");
    }
    if (from->qemu[DESTINATION] == DQ_WAITING && from->ordered)
        set_qemu(walk, SOURCE, SQ_EARLY, MOVE_PROGRESS, "postcopy starts");
    world_source_fails(begin(walk));
    end_move(walk, out ? MOVE_PROGRESS : MOVE_OTHER, "the source fails");
}

static void
source_qemu_moves(struct walk *walk)
{
    const struct world *from = walk->from;
    uint8_t there = from->qemu[DESTINATION];
    bool out = destination_is_out(from);

    switch ((enum source_qemu)from->qemu[SOURCE]) {
    case SQ_MOVING: source_moves_on(walk); break;
    case SQ_SWITCHED:
        if (from->had)
            set_qemu(walk, SOURCE, SQ_COMPLETED, MOVE_PROGRESS,
                     "the source completes");
        world_source_fails(begin(walk));
        end_move(walk, out && !from->had ? MOVE_PROGRESS : MOVE_OTHER,
                 "the last word is lost, the source fails");
        break;
    case SQ_EARLY:
        if (there == DQ_SPLIT || there == DQ_RUNS_SPLIT)
            set_qemu(walk, SOURCE, SQ_SPLIT, MOVE_PROGRESS,
                     "postcopy is for good");
        if (!from->closed) {
            world_source_fails(begin(walk));
            end_move(walk, MOVE_OTHER, "postcopy falls back");
        }
        break;
    case SQ_SPLIT:
        if (there == DQ_ARRIVED || there == DQ_RUNS)
            set_qemu(walk, SOURCE, SQ_COMPLETED, MOVE_PROGRESS,
                     "the source completes");
        if (there == DQ_BROKEN || there == DQ_RUNS_BROKEN || out)
            set_qemu(walk, SOURCE, SQ_BROKEN, MOVE_PROGRESS,
                     "the source is interrupted");
        break;
    default: break;
    }
}

static void
destination_qemu_waits(struct walk *walk)
{
    const struct world *from = walk->from;
    uint8_t there = from->qemu[SOURCE];
    bool over = there == SQ_FAILED || there == SQ_GONE;
    enum move_kind kind = over ? MOVE_PROGRESS : MOVE_OTHER;

    if (there == SQ_IDLE)
        return;
    if (from->sent) {
        begin(walk)->had = true;
        walk->next.qemu[DESTINATION] = DQ_ARRIVED;
        end_move(walk, MOVE_PROGRESS, "the destination completes");
    }
    if (there == SQ_EARLY)
        set_qemu(walk, DESTINATION, DQ_SPLIT, MOVE_PROGRESS,
                 "the destination is in postcopy");
    set_qemu(walk, DESTINATION, DQ_FAILED, kind, "the destination fails");
    set_qemu(walk, DESTINATION, DQ_GONE, kind, "the destination exits");
}

static void
destination_qemu_moves(struct walk *walk)
{
    const struct world *from = walk->from;
    uint8_t here = from->qemu[DESTINATION], there = from->qemu[SOURCE];
    bool alone = there == SQ_BROKEN || there == SQ_GONE || there == SQ_FAILED;
    bool breaks = there == SQ_SPLIT && from->faults > 0;

    if (here == DQ_WAITING)
        destination_qemu_waits(walk);
    if (here != DQ_SPLIT && here != DQ_RUNS_SPLIT)
        return;
    if (there == SQ_SPLIT) {
        begin(walk)->had = true;
        walk->next.qemu[DESTINATION] = here == DQ_SPLIT ? DQ_ARRIVED : DQ_RUNS;
        end_move(walk, MOVE_PROGRESS, "the destination completes");
    }
    if (alone || breaks) {
        begin(walk)->faults -= !alone;
        walk->next.qemu[DESTINATION] =
            here == DQ_SPLIT ? DQ_BROKEN : DQ_RUNS_BROKEN;
        end_move(walk, alone ? MOVE_PROGRESS : MOVE_OTHER,
                 "the destination is interrupted");
    }
}

static void
helper_moves(struct walk *walk, enum end end)
{
    const struct world *from = walk->from;
    bool unbegun = end == SOURCE && from->source.state == SOURCE_BEFORE;

    if (from->pending[end] != ORDER_NOTHING) {
        world_execute(begin(walk), end);
        end_move(walk, MOVE_PROGRESS, "QEMU does as ordered");
    }
    if (!from->alive[end])
        return;
    if (from->pending[end] == ORDER_START_POSTCOPY && !from->ordered) {
        begin(walk)->pending[end] = ORDER_NOTHING;
        world_source_event(&walk->next, SOURCE_QEMU_REFUSED);
        end_move(walk, MOVE_OTHER, "QEMU refuses postcopy");
    }
    if (end == SOURCE && from->source.state == SOURCE_SWITCHING &&
        from->qemu[SOURCE] == SQ_MOVING && !from->ordered &&
        from->pending[SOURCE] == ORDER_NOTHING) {
        world_source_event(begin(walk), SOURCE_QEMU_REFUSED);
        end_move(walk, MOVE_OTHER, "mig-send looks twice");
    }
    if (!unbegun) {
        world_look(begin(walk), end);
        end_move(walk, MOVE_PROGRESS,
                 end == SOURCE ? "mig-send looks" : "mig-recv looks");
    }
    if (from->queue[end][0] != 0) {
        world_deliver(begin(walk), end);
        end_move(walk, MOVE_PROGRESS,
                 end == SOURCE ? "mig-send hears" : "mig-recv hears");
    }
}

static void
begin_move(struct walk *walk)
{
    const struct world *from = walk->from;
    struct world *next;

    if (!from->alive[SOURCE] || from->source.state != SOURCE_BEFORE ||
        from->qemu[SOURCE] != SQ_IDLE ||
        from->destination.state != DESTINATION_PREPARED)
        return;
    next = begin(walk);
    world_source_event(next, SOURCE_BEGIN);
    next->qemu[SOURCE] = SQ_MOVING;
    end_move(walk, MOVE_PROGRESS, "the migration begins");
}

static void
link_moves(struct walk *walk)
{
    struct world *next;

    if (walk->from->link && walk->from->faults > 0) {
        next = begin(walk);
        next->faults--;
        next->link = false;
        for (enum end end = 0; end < ENDS; end++) {
            memset(next->queue[end], 0, QUEUE_MAX);
            world_put(next, end, LEFT);
        }
        end_move(walk, MOVE_OTHER, "the link is lost");
    } else if (!walk->from->link) {
        next = begin(walk);
        next->link = true;
        for (enum end end = 0; end < ENDS; end++)
            if (next->alive[!end])
                world_put(next, end, CAME);
        end_move(walk, MOVE_OTHER, "the link is back");
    }
}

static void
death_moves(struct walk *walk, enum end end)
{
    const struct world *from = walk->from;
    uint8_t gone = end == SOURCE ? SQ_GONE : DQ_GONE;

    if (from->faults == 0)
        return;
    if (from->qemu[end] != gone) {
        begin(walk)->faults--;
        walk->next.qemu[end] = gone;
        walk->next.pending[end] = ORDER_NOTHING;
        end_move(walk, MOVE_OTHER,
                 end == SOURCE ? "the source's QEMU dies"
                               : "the destination's QEMU dies");
    }
    if (!from->alive[end])
        return;
    for (int dropped = 0; dropped < 2; dropped++) {
        begin(walk)->faults--;
        if (dropped)
            walk->next.pending[end] = ORDER_NOTHING;
        world_helper_ends(&walk->next, end);
        end_move(walk, MOVE_OTHER,
                 end == SOURCE ? "mig-send dies" : "mig-recv dies");
    }
}

/* People are slow: what was said before they act again has been heard. */
static bool
is_heard(const struct world *world)
{
    return world->queue[SOURCE][1] == 0 && world->queue[DESTINATION][1] == 0;
}

/* A helper that has finished is started again only on an instruction. */
static bool
sends_for(const struct world *world, enum end end)
{
    return world->told[end] != TELL_NOTHING ||
           world->told[!end] == TELL_SEE_SOURCE ||
           world->told[!end] == TELL_SEE_DESTINATION;
}

static void
start_move(struct walk *walk, enum end end)
{
    const struct world *from = walk->from;
    struct world *next;

    if (from->alive[end] || from->pending[end] != ORDER_NOTHING ||
        !is_heard(from))
        return;
    if (from->finished[end] && !sends_for(from, end))
        return;
    next = begin(walk);
    next->alive[end] = true;
    next->finished[end] = false;
    world_look(next, end);
    if (next->link && next->alive[!end] && next->alive[end]) {
        world_put(next, end, CAME);
        world_put(next, !end, CAME);
    }
    end_move(walk, MOVE_INSTRUCTED,
             end == SOURCE ? "mig-send --attach" : "mig-recv --attach");
}

/* What a look at the other QEMU must show before the guest is released. */
static bool
may_release(const struct world *world, enum end end)
{
    uint8_t source = world->qemu[SOURCE];

    switch ((enum handover_tell)world->told[end]) {
    case TELL_SEE_DESTINATION:
    case TELL_DESTINATION_GONE:
    case TELL_TAKE_BACK: return world->qemu[DESTINATION] == DQ_GONE;
    case TELL_SEE_SOURCE:
    case TELL_SOURCE_GONE:
        return source == SQ_COMPLETED || source == SQ_SPLIT ||
               source == SQ_BROKEN || source == SQ_GONE;
    case TELL_RUN_UNKNOWN: return true;
    default: return false;
    }
}

static void
release(struct world *world, enum end end)
{
    world->released[end] = true;
    if (end == SOURCE)
        world_source_event(world, SOURCE_RELEASE);
    else
        world_destination_event(world, DESTINATION_RELEASE);
}

static void
operator_moves(struct walk *walk, enum end end)
{
    const struct world *from = walk->from;

    if (!from->looked[end] && may_release(from, end)) {
        begin(walk)->looked[end] = true;
        end_move(walk, MOVE_INSTRUCTED, "the operator looks");
    }
    if (from->looked[end] && from->alive[end] && is_heard(from)) {
        release(begin(walk), end);
        end_move(walk, MOVE_INSTRUCTED,
                 end == SOURCE ? "mig-send --release" : "mig-recv --release");
    }
    if (from->told[end] == TELL_RECOVER && from->qemu[SOURCE] == SQ_BROKEN &&
        (from->qemu[DESTINATION] == DQ_BROKEN ||
         from->qemu[DESTINATION] == DQ_RUNS_BROKEN)) {
        begin(walk)->qemu[SOURCE] = SQ_SPLIT;
        walk->next.qemu[DESTINATION] =
            from->qemu[DESTINATION] == DQ_BROKEN ? DQ_SPLIT : DQ_RUNS_SPLIT;
        end_move(walk, MOVE_INSTRUCTED, "the operator recovers it");
    }
}

/* mig-send --release where no mig-send is at work, and a partner is. */
static void
start_with_release(struct walk *walk)
{
    const struct world *from = walk->from;
    struct world *next;

    if (from->alive[SOURCE] || from->pending[SOURCE] != ORDER_NOTHING ||
        !from->link || !from->alive[DESTINATION] || !is_heard(from))
        return;
    next = begin(walk);
    next->wishes--;
    next->alive[SOURCE] = true;
    next->finished[SOURCE] = false;
    next->released[SOURCE] = true;
    world_look(next, SOURCE);
    if (next->alive[SOURCE]) {
        world_put(next, SOURCE, CAME_WANTED);
        world_put(next, DESTINATION, CAME);
    }
    end_move(walk, MOVE_OTHER, "mig-send --release is started");
}

/* What nobody told him to do, but he may. */
static void
wish_moves(struct walk *walk)
{
    const struct world *from = walk->from;

    if (from->alive[SOURCE] && from->capable) {
        world_source_event(begin(walk), SOURCE_POSTCOPY);
        end_move(walk, MOVE_OTHER, "postcopy is wanted");
    }
    if (from->wishes == 0)
        return;
    start_with_release(walk);
    if (from->alive[SOURCE]) {
        begin(walk)->wishes--;
        world_source_event(&walk->next, SOURCE_LEAVE);
        end_move(walk, MOVE_OTHER, "mig-send leaves");
        begin(walk)->wishes--;
        world_source_event(&walk->next, SOURCE_CANCEL);
        end_move(walk, MOVE_OTHER, "cancel at the source");
        if (from->source.partner) {
            begin(walk)->wishes--;
            release(&walk->next, SOURCE);
            end_move(walk, MOVE_OTHER, "mig-send --release, with a partner");
        }
    }
    if (from->alive[DESTINATION]) {
        begin(walk)->wishes--;
        world_destination_event(&walk->next, DESTINATION_LEAVE);
        end_move(walk, MOVE_OTHER, "mig-recv leaves");
        begin(walk)->wishes--;
        world_destination_event(&walk->next, DESTINATION_CANCEL);
        end_move(walk, MOVE_OTHER, "cancel at the destination");
        if (from->destination.partner) {
            begin(walk)->wishes--;
            /* Whatever he was told, the decision is his. */
            walk->next.released[DESTINATION] |=
                from->destination.heard == WORD_GONE ||
                from->destination.run == RUN_UNKNOWN;
            world_destination_event(&walk->next, DESTINATION_RELEASE);
            end_move(walk, MOVE_OTHER, "mig-recv --release, with a partner");
        }
    }
}

void
world_moves(const struct world *world, world_visit *visit, void *arg)
{
    struct walk walk = { .from = world, .visit = visit, .arg = arg };

    begin_move(&walk);
    source_qemu_moves(&walk);
    destination_qemu_moves(&walk);
    for (enum end end = 0; end < ENDS; end++) {
        helper_moves(&walk, end);
        start_move(&walk, end);
        operator_moves(&walk, end);
        death_moves(&walk, end);
    }
    link_moves(&walk);
    wish_moves(&walk);
}
