#include "support_world_parts.h"

#include <stdlib.h>
#include <string.h>

/* The rule that the move at hand broke, for world_broken to find. */
const char *world_violation;

static void handle(struct world *world, enum end end,
                   const struct handover_acts *acts);

void
world_put(struct world *world, enum end to, uint8_t message)
{
    uint8_t *queue = world->queue[to];
    int at = 0;

    if (!world->alive[to])
        return;
    while (at < QUEUE_MAX && queue[at] != 0)
        at++;
    if (at == QUEUE_MAX)
        world_violation = "the queue has grown too long";
    else
        queue[at] = message;
}

static bool
is_postcopy(uint8_t qemu)
{
    return qemu == SQ_EARLY || qemu == SQ_SPLIT || qemu == SQ_BROKEN;
}

static bool
source_has(const struct world *world)
{
    uint8_t qemu = world->qemu[SOURCE];

    return qemu == SQ_IDLE || qemu == SQ_MOVING || qemu == SQ_FAILED;
}

static bool
source_runs(const struct world *world)
{
    return (world->run && source_has(world)) || world->qemu[SOURCE] == SQ_AGAIN;
}

static bool
destination_runs(const struct world *world)
{
    uint8_t qemu = world->qemu[DESTINATION];

    return qemu == DQ_RUNS_SPLIT || qemu == DQ_RUNS_BROKEN || qemu == DQ_RUNS;
}

void
world_source_fails(struct world *world)
{
    world->regained = world->sent || world->qemu[SOURCE] == SQ_EARLY;
    world->qemu[SOURCE] = SQ_FAILED;
}

static void
source_continues(struct world *world)
{
    if (is_postcopy(world->qemu[SOURCE]))
        world_violation = "the source's half of a postcopy is continued";
    if (world->qemu[SOURCE] != SQ_COMPLETED)
        return;
    if (world->ran && !world->released[SOURCE])
        world_violation =
            "the source goes back behind what ran at the destination";
    if (!world->run && !world->released[SOURCE])
        world_violation = "a paused guest is made to run at the source";
    world->qemu[SOURCE] = SQ_AGAIN;
}

static void
destination_continues(struct world *world)
{
    uint8_t *qemu = &world->qemu[DESTINATION];

    if (*qemu == DQ_GONE)
        return;
    if (world->regained && !world->released[DESTINATION])
        world_violation =
            "the destination runs what the source has run on from";
    if (!world->run && !world->released[DESTINATION])
        world_violation = "a paused guest is made to run at the destination";
    switch (*qemu) {
    case DQ_ARRIVED: *qemu = DQ_RUNS; break;
    case DQ_SPLIT: *qemu = DQ_RUNS_SPLIT; break;
    case DQ_BROKEN: *qemu = DQ_RUNS_BROKEN; break;
    case DQ_FAILED: return;
    default: world_violation = "cont without a guest that has arrived"; return;
    }
    world->ran = true;
}

static void
destination_quits(struct world *world)
{
    if (world->ran && world->qemu[DESTINATION] != DQ_GONE)
        world_violation = "a guest that has run is quit";
    if (world->qemu[SOURCE] == SQ_SPLIT || world->qemu[SOURCE] == SQ_BROKEN)
        world_violation = "one half of a postcopy is quit";
    world->qemu[DESTINATION] = DQ_GONE;
}

void
world_execute(struct world *world, enum end end)
{
    uint8_t *qemu = &world->qemu[end];
    enum handover_order order = world->pending[end];

    world->pending[end] = ORDER_NOTHING;
    switch (order) {
    case ORDER_CANCEL:
        if (is_postcopy(*qemu))
            world_violation = "migrate_cancel in postcopy";
        if (*qemu == SQ_MOVING || *qemu == SQ_SWITCHED)
            world_source_fails(world);
        break;
    case ORDER_START_POSTCOPY:
        world->ordered = world->ordered || *qemu == SQ_MOVING;
        break;
    case ORDER_CONT:
        if (end == SOURCE)
            source_continues(world);
        else
            destination_continues(world);
        break;
    case ORDER_QUIT: destination_quits(world); break;
    case ORDER_NOTHING:
    case ORDER_ASK: break;
    }
}

void
world_helper_ends(struct world *world, enum end end)
{
    memset(world->queue[end], 0, QUEUE_MAX);
    world->alive[end] = false;
    if (end == SOURCE)
        handover_source_init(&world->source, RUN_UNKNOWN);
    else
        handover_destination_init(&world->destination, RUN_UNKNOWN);
    if (world->link)
        world_put(world, !end, LEFT);
}

static void
note_paused_guest(struct world *world)
{
    if (world->run)
        return;
    if (world->destination.state == DESTINATION_TAKEN)
        world->held = true;
    if (world->source.state == SOURCE_KEPT &&
        world->qemu[SOURCE] == SQ_COMPLETED)
        world->back = true;
}

static void
handle(struct world *world, enum end end, const struct handover_acts *acts)
{
    uint8_t said = (uint8_t)acts->say;

    /* It may look at any time, asked or not. */
    if (acts->order != ORDER_NOTHING && acts->order != ORDER_ASK) {
        if (world->pending[end] != ORDER_NOTHING)
            world_execute(world, end);
        world->pending[end] = (uint8_t)acts->order;
    }
    note_paused_guest(world);
    if (said == SAY_GIVEN)
        said = (uint8_t)(GIVEN + world->source.run);
    if (said != SAY_NOTHING && world->link)
        world_put(world, !end, said);
    if (acts->tell != TELL_NOTHING && acts->tell <= TELL_LAST_INSTRUCTION)
        world->told[end] = (uint8_t)acts->tell;
    if (acts->tell == TELL_TWO_GUESTS && world->qemu[SOURCE] != SQ_GONE &&
        world->qemu[DESTINATION] != DQ_GONE)
        world_violation = "two guests are told of";
    if (acts->finish) {
        world_helper_ends(world, end);
        world->finished[end] = true;
    }
}

void
world_source_event(struct world *world, enum source_event event)
{
    struct handover_acts acts = handover_source_step(&world->source, event);

    handle(world, SOURCE, &acts);
}

void
world_destination_event(struct world *world, enum destination_event event)
{
    struct handover_acts acts =
        handover_destination_step(&world->destination, event);

    handle(world, DESTINATION, &acts);
}

static void
look_source(struct world *world)
{
    switch ((enum source_qemu)world->qemu[SOURCE]) {
    case SQ_IDLE:
    case SQ_FAILED: world_source_event(world, SOURCE_QEMU_KEPT); break;
    case SQ_MOVING:
    case SQ_SWITCHED:
        world_source_event(world, world->capable ? SOURCE_QEMU_MAY_SPLIT
                                                 : SOURCE_QEMU_MOVING);
        break;
    case SQ_EARLY:
    case SQ_SPLIT: world_source_event(world, SOURCE_QEMU_POSTCOPY); break;
    case SQ_BROKEN: world_source_event(world, SOURCE_QEMU_BROKEN); break;
    case SQ_COMPLETED: world_source_event(world, SOURCE_QEMU_COMPLETED); break;
    case SQ_AGAIN: world_source_event(world, SOURCE_QEMU_RUNS); break;
    case SQ_GONE: world_source_event(world, SOURCE_QEMU_GONE); break;
    }
}

static void
look_destination(struct world *world)
{
    static const enum destination_event events[] = {
        [DQ_WAITING] = DESTINATION_QEMU_WAITING,
        [DQ_ARRIVED] = DESTINATION_QEMU_ARRIVED,
        [DQ_SPLIT] = DESTINATION_QEMU_POSTCOPY,
        [DQ_BROKEN] = DESTINATION_QEMU_BROKEN,
        [DQ_RUNS_SPLIT] = DESTINATION_QEMU_RUNS,
        [DQ_RUNS_BROKEN] = DESTINATION_QEMU_RUNS,
        [DQ_RUNS] = DESTINATION_QEMU_RUNS,
        [DQ_FAILED] = DESTINATION_QEMU_FAILED,
        [DQ_GONE] = DESTINATION_QEMU_GONE,
    };

    world_destination_event(world, events[world->qemu[DESTINATION]]);
}

void
world_look(struct world *world, enum end end)
{
    if (end == SOURCE)
        look_source(world);
    else
        look_destination(world);
}

static void
to_source(struct world *world, uint8_t message)
{
    switch (message) {
    case CAME: world_source_event(world, SOURCE_CAME); break;
    case CAME_WANTED: world_source_event(world, SOURCE_CAME_WANTED); break;
    case LEFT: world_source_event(world, SOURCE_LEFT); break;
    case SAY_ARRIVED:
        world->closed = true;
        world_source_event(world, SOURCE_HEARD_ARRIVED);
        break;
    case SAY_RUNNING:
        world->closed = true;
        world_source_event(world, SOURCE_HEARD_RUNNING);
        break;
    case SAY_FAILED:
    case SAY_DISCARDED: world_source_event(world, SOURCE_HEARD_EMPTY); break;
    case SAY_GONE: world_source_event(world, SOURCE_HEARD_GONE); break;
    case SAY_CANCEL: world_source_event(world, SOURCE_HEARD_CANCEL); break;
    case SAY_RELEASE_ASKED:
        world_source_event(world, SOURCE_HEARD_RELEASE_ASKED);
        break;
    default: break; /* prepared is no event */
    }
}

static void
to_destination(struct world *world, uint8_t message)
{
    switch (message) {
    case CAME: world_destination_event(world, DESTINATION_CAME); break;
    case LEFT: world_destination_event(world, DESTINATION_LEFT); break;
    case SAY_KEPT:
        world_destination_event(world, DESTINATION_HEARD_KEPT);
        break;
    case SAY_GONE:
        world_destination_event(world, DESTINATION_HEARD_GONE);
        break;
    case SAY_TAKE_BACK:
        world_destination_event(world, DESTINATION_HEARD_TAKE_BACK);
        break;
    case SAY_BYE: world_destination_event(world, DESTINATION_HEARD_BYE); break;
    default:
        if (message > GIVEN)
            world->destination.run = message - GIVEN;
        world_destination_event(world, DESTINATION_HEARD_GIVEN);
        break;
    }
}

void
world_deliver(struct world *world, enum end end)
{
    uint8_t *queue = world->queue[end], message = queue[0];

    memmove(queue, queue + 1, QUEUE_MAX - 1);
    queue[QUEUE_MAX - 1] = 0;
    if (end == SOURCE)
        to_source(world, message);
    else
        to_destination(world, message);
}

void
world_init(struct world *world, bool run, bool capable, int faults, int wishes)
{
    enum handover_run known = run ? RUN_YES : RUN_NO;

    memset(world, 0, sizeof *world);
    handover_source_init(&world->source, known);
    handover_destination_init(&world->destination, known);
    world->run = run;
    world->capable = capable;
    world->faults = (uint8_t)faults;
    world->wishes = (uint8_t)wishes;
    world->link = true;
    for (enum end end = 0; end < ENDS; end++) {
        world->alive[end] = true;
        world_put(world, end, CAME);
    }
}

const char *
world_broken(const struct world *world)
{
    if (world_violation != NULL)
        return world_violation;
    if (source_runs(world) && destination_runs(world))
        return "both QEMUs run the guest";
    if (world->held && world->qemu[DESTINATION] != DQ_GONE &&
        (world->back || source_has(world)))
        return "both hosts hold the paused guest";
    return NULL;
}

bool
world_good(const struct world *world)
{
    if (source_runs(world) || destination_runs(world))
        return true;
    return !world->run && (source_has(world) || world->held || world->back);
}

bool
world_lost(const struct world *world)
{
    uint8_t here = world->qemu[SOURCE], there = world->qemu[DESTINATION];

    if (there == DQ_GONE || there == DQ_FAILED)
        return here == SQ_GONE || is_postcopy(here) || world->ran;
    return here == SQ_GONE && there != DQ_ARRIVED;
}

bool
world_instructed(const struct world *world)
{
    for (enum end end = 0; end < ENDS; end++)
        if ((!world->alive[end] && !world->finished[end]) ||
            world->told[end] != TELL_NOTHING)
            return true;
    return false;
}

static unsigned
bits(const bool *flags, size_t count)
{
    unsigned value = 0;

    for (size_t i = 0; i < count; i++)
        value |= (unsigned)flags[i] << i;
    return value;
}

#define BITS(...)                       \
    bits((const bool[]){ __VA_ARGS__ }, \
         sizeof((const bool[]){ __VA_ARGS__ }) / sizeof(bool))

/* One number of a key. */
static uint8_t *
add(uint8_t *at, unsigned value)
{
    *at = (uint8_t)value;
    return at + 1;
}

void
world_key(uint8_t key[WORLD_BYTES], const struct world *world)
{
    const struct handover_source *source = &world->source;
    const struct handover_destination *destination = &world->destination;
    uint8_t *at = key;

    memset(key, 0, WORLD_BYTES);
    at = add(at, source->state | (unsigned)source->heard << 4);
    at = add(at, destination->state | (unsigned)destination->heard << 4);
    at = add(at, source->run | (unsigned)destination->run << 4);
    at = add(at, BITS(source->partner, source->whole, source->dead,
                      source->postcopy, source->cancelled, source->two));
    at = add(at, BITS(destination->partner, destination->whole,
                      destination->broken, destination->discarded,
                      destination->lost, destination->twice));
    for (enum end end = 0; end < ENDS; end++) {
        at = add(at, world->qemu[end]);
        at = add(at, world->pending[end]);
        at = add(at, world->told[end]);
        at = add(at, BITS(world->alive[end], world->looked[end],
                          world->released[end], world->finished[end]));
        memcpy(at, world->queue[end], QUEUE_MAX);
        at += QUEUE_MAX;
    }
    at = add(at, world->faults);
    at = add(at, world->wishes);
    at = add(at, BITS(world->link, world->run, world->capable, world->ordered,
                      world->sent, world->had, world->closed, world->regained));
    at = add(at, BITS(world->ran, world->held, world->back));
    if (at > key + WORLD_BYTES)
        abort();
}
