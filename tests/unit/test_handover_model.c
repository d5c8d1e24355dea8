/*
 * The handover, in every order of events: all worlds that can be reached from
 * the beginning are visited, with so many faults (deaths and losses) and wishes
 * in them.
 *
 *   safety     no world breaks a rule: above all, never do two guests run
 *   liveness   from each world, by what comes by itself and by what the
 *              operator is told to do, but without the link coming back, a
 *              world can be reached in which the guest is where it should be
 *   quiet      where nothing comes by itself, it is there, or the operator has
 *              an instruction
 *
 *   MIG_MODEL_FAULTS=<n>  so many deaths and losses, in place of those below
 *   MIG_MODEL_WISHES=<n>  so many times the operator does what nobody told him
 *
 * With 3 faults there are some 10 million worlds, for several GiB of memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"
#include "support_world.h"

enum { NONE = UINT32_MAX };

struct node {
    struct world world;
    uint64_t print; /* the world's fingerprint: two that have the same count as
                       one, which can't be by chance in a few million */
    uint32_t from;  /* the node that led here first, */
    const char *by;
};

struct edge {
    uint32_t from, to;
};

struct model {
    struct node *nodes;
    size_t count, room;
    uint32_t *slots; /* a hash table of nodes */
    size_t slot_count;
    struct edge *edges; /* those that lead on by themselves or by instruction */
    size_t edge_count, edge_room;
    uint32_t at; /* the node that is being explored */
    bool moves_on;
};

static uint64_t
fingerprint(const struct world *world)
{
    uint8_t key[WORLD_BYTES];
    uint64_t words[WORLD_BYTES / 8], value = 0;

    world_key(key, world);
    memcpy(words, key, sizeof words);
    for (size_t i = 0; i < WORLD_BYTES / 8; i++) {
        value = (value ^ words[i]) * 0x9e3779b97f4a7c15u;
        value ^= value >> 29;
    }
    return value;
}

/* How it came to this, the latest first. */
static void
print_way(const struct model *model, uint32_t node)
{
    for (; node != NONE; node = model->nodes[node].from)
        print_error("  %s\n", model->nodes[node].by);
}

static void *
more(void *array, size_t *room, size_t size)
{
    *room = *room == 0 ? 1024 : *room * 2;
    array = realloc(array, *room * size);
    assert_non_null(array);
    return array;
}

static void
rehash(struct model *model)
{
    model->slot_count = model->slot_count == 0 ? 4096 : model->slot_count * 2;
    free(model->slots);
    model->slots = malloc(model->slot_count * sizeof *model->slots);
    assert_non_null(model->slots);
    memset(model->slots, 0xff, model->slot_count * sizeof *model->slots);
    for (size_t i = 0; i < model->count; i++) {
        size_t slot = model->nodes[i].print & (model->slot_count - 1);

        while (model->slots[slot] != NONE)
            slot = (slot + 1) & (model->slot_count - 1);
        model->slots[slot] = (uint32_t)i;
    }
}

static uint32_t
find_or_add(struct model *model, const struct world *world, const char *by)
{
    uint64_t print = fingerprint(world);
    size_t slot;

    if (model->count * 2 >= model->slot_count)
        rehash(model);
    slot = print & (model->slot_count - 1);
    while (model->slots[slot] != NONE) {
        if (model->nodes[model->slots[slot]].print == print)
            return model->slots[slot];
        slot = (slot + 1) & (model->slot_count - 1);
    }
    if (model->count == model->room)
        model->nodes = more(model->nodes, &model->room, sizeof *model->nodes);
    model->slots[slot] = (uint32_t)model->count;
    model->nodes[model->count] = (struct node){ *world, print, model->at, by };
    return (uint32_t)model->count++;
}

static void
on_move(void *arg, const struct world *next, enum move_kind kind,
        const char *name)
{
    struct model *model = arg;
    const char *broken = world_broken(next);
    uint32_t to = find_or_add(model, next, name);

    if (broken != NULL) {
        print_error("%s, after (the latest first):\n  %s\n", broken, name);
        print_way(model, model->at);
        fail();
    }
    model->moves_on =
        model->moves_on || (kind == MOVE_PROGRESS && to != model->at);
    if (kind == MOVE_OTHER)
        return;
    if (model->edge_count == model->edge_room)
        model->edges =
            more(model->edges, &model->edge_room, sizeof *model->edges);
    model->edges[model->edge_count++] = (struct edge){ model->at, to };
}

static void
explore(struct model *model)
{
    for (model->at = 0; model->at < model->count; model->at++) {
        const struct world world = model->nodes[model->at].world;

        model->moves_on = false;
        world_moves(&world, on_move, model);
        if (!model->moves_on && !world_good(&world) && !world_lost(&world) &&
            !world_instructed(&world)) {
            print_error("no guest, and nobody is told what to do, after:\n");
            print_way(model, model->at);
            fail();
        }
    }
}

/* Edges lead mostly from older nodes to younger ones: a few rounds do. */
static void
check_liveness(const struct model *model)
{
    bool *good = calloc(model->count, sizeof *good), changed = true;

    assert_non_null(good);
    for (size_t i = 0; i < model->count; i++)
        good[i] = world_good(&model->nodes[i].world) ||
                  world_lost(&model->nodes[i].world);
    while (changed) {
        changed = false;
        for (size_t i = model->edge_count; i-- > 0;) {
            const struct edge *edge = &model->edges[i];

            if (good[edge->from] || !good[edge->to])
                continue;
            good[edge->from] = true;
            changed = true;
        }
    }
    for (size_t i = 0; i < model->count; i++) {
        if (good[i])
            continue;
        print_error("the guest does not come back, after:\n");
        print_way(model, (uint32_t)i);
        fail();
    }
    free(good);
}

static void
check(const char *name, const struct world *first)
{
    struct model model = { .at = NONE };

    find_or_add(&model, first, "the beginning");
    explore(&model);
    check_liveness(&model);
    print_message("%s: %zu worlds\n", name, model.count);
    free(model.nodes);
    free(model.slots);
    free(model.edges);
}

static int
setting(const char *name, int otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (int)strtol(text, NULL, 10) : otherwise;
}

static void
explore_with(const char *name, bool run, bool capable, int faults, int wishes)
{
    struct world first;

    world_init(&first, run, capable, setting("MIG_MODEL_FAULTS", faults),
               setting("MIG_MODEL_WISHES", wishes));
    check(name, &first);
}

static void
a_running_guest_is_never_run_twice_and_never_stays_lost(void **state)
{
    (void)state;
    explore_with("precopy", true, false, 2, 1);
}

static void
in_postcopy_only_the_destination_runs_it(void **state)
{
    (void)state;
    explore_with("postcopy", true, true, 1, 1);
}

static void
a_paused_guest_arrives_paused_and_belongs_to_one_host(void **state)
{
    (void)state;
    explore_with("paused", false, false, 1, 1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_running_guest_is_never_run_twice_and_never_stays_lost),
        cmocka_unit_test(in_postcopy_only_the_destination_runs_it),
        cmocka_unit_test(a_paused_guest_arrives_paused_and_belongs_to_one_host),
    };

    return RUN_TESTS(tests);
}
