// The board's slots: found or made by name, referenced, given to another name when nobody needs them.
#include "route/board_impl.h"

#include "base/map.h"
#include "base/mem.h"
#include "os/rand.h"

#define SECOND UINT64_C(1000000000)

struct board {
    struct mutex lock; // guards all of it, and the references of slots
    struct map by_name;
    struct board_slot **slots;
    size_t count, room;
    uint64_t turn;
};

struct board_tuning board_tuning_default(void) {
    return (struct board_tuning){.breaker = breaker_rules_default(),
                                 .quality = quality_rules_default(),
                                 .slow_start_ns = 30 * SECOND,
                                 .latency_half_ns = 10 * SECOND,
                                 .quantile_half_ns = 300 * SECOND,
                                 .cooldown_ns = 5 * SECOND,
                                 .cooldown_auth_ns = 60 * SECOND,
                                 .cooldown_max_ns = 600 * SECOND,
                                 .quantile = 0.95F,
                                 .quantile_min = 20,
                                 .rise = 2,
                                 .fall = 3};
}

struct board *board_create(void) {
    struct board *board = mem_zalloc(1, sizeof *board);
    uint64_t seed;
    if (!board) return NULL;
    rand_bytes(&seed, sizeof seed);
    mutex_init(&board->lock);
    map_init(&board->by_name, seed);
    return board;
}

void board_free(struct board *board) {
    if (!board) return;
    for (size_t i = 0; i < board->count; i++) {
        mutex_free(&board->slots[i]->lock);
        mem_free(board->slots[i]->block);
    }
    mem_free(board->slots);
    map_free(&board->by_name);
    mutex_free(&board->lock);
    mem_free(board);
}

static size_t put_part(char *to, struct str s) {
    if (s.n) memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return s.n + 1;
}

// False when the name is too long, or could be mistaken for another.
static bool name_of(char *name, struct str provider, struct str model, struct str key, size_t *out_n) {
    if (provider.n + model.n + key.n > BOARD_NAME_MAX) return false;
    if (str_find_char(provider, '\0') < provider.n || str_find_char(model, '\0') < model.n) return false;
    size_t n = put_part(name, provider);
    n += put_part(name + n, model);
    *out_n = n + put_part(name + n, key);
    return true;
}

static void slot_name(struct board_slot *slot, const char *name, size_t n, size_t provider_n, size_t model_n) {
    memcpy(slot->name, name, n);
    slot->name_n = n;
    slot->provider = str_of(slot->name, provider_n);
    slot->model = str_of(slot->name + provider_n + 1, model_n);
    slot->key = str_of(slot->name + provider_n + model_n + 2, n - provider_n - model_n - 3);
}

static bool grow(struct board *board) {
    if (board->count < board->room) return true;
    size_t room = board->room ? board->room * 2 : 64;
    struct board_slot **slots = mem_realloc(board->slots, room * sizeof *slots);
    if (!slots) return false;
    board->slots = slots;
    board->room = room;
    return true;
}

static struct board_slot *slot_make(struct board *board) {
    if (board->count >= BOARD_SLOTS_MAX || !grow(board)) return NULL;
    char *block = mem_zalloc(1, sizeof(struct board_slot) + 64);
    if (!block) return NULL;
    struct board_slot *slot = (void *)(block + (64 - (uintptr_t)block % 64) % 64);
    slot->block = block;
    slot->board = board;
    mutex_init(&slot->lock);
    return slot;
}

// Of the slots nobody references, the one that has been without for longest.
static struct board_slot *slot_idle(struct board *board) {
    struct board_slot *idle = NULL;
    for (size_t i = 0; i < board->count; i++) {
        struct board_slot *slot = board->slots[i];
        if (slot->refs == 0 && (!idle || slot->put_turn < idle->put_turn)) idle = slot;
    }
    return idle;
}

static void slot_reset(struct board_slot *slot) {
    struct board_tuning tuning = board_tuning_default();
    mutex_lock(&slot->lock);
    memset(&slot->tuning, 0, offsetof(struct board_slot, quality) - offsetof(struct board_slot, tuning));
    for (size_t i = 0; i < BOARD_TASKS_MAX; i++) atom_store_relaxed(&slot->quality[i], 0);
    for (size_t i = 0; i < VOICES; i++) atom_store_relaxed(&slot->voices[i], 0);
    mutex_unlock(&slot->lock);
    board_slot_tune(slot, &tuning);
}

static struct board_slot *slot_add(struct board *board, const char *name, size_t n, size_t provider_n, size_t model_n) {
    struct board_slot *slot = slot_make(board);
    bool is_new = slot != NULL;
    if (!slot && !(slot = slot_idle(board))) return NULL;
    if (!is_new) map_del(&board->by_name, str_of(slot->name, slot->name_n));
    slot_name(slot, name, n, provider_n, model_n);
    bool known = map_put(&board->by_name, str_of(slot->name, slot->name_n), slot);
    if (is_new && !known) {
        mutex_free(&slot->lock);
        mem_free(slot->block);
    }
    if (!known) return NULL;
    if (is_new) board->slots[board->count++] = slot;
    slot->shown = false;
    slot_reset(slot);
    return slot;
}

struct board_slot *board_slot_get(struct board *board, struct str provider, struct str model, struct str key) {
    char name[BOARD_NAME_MAX + 3];
    size_t n;
    if (!name_of(name, provider, model, key, &n)) return NULL;
    mutex_lock(&board->lock);
    struct board_slot *slot = map_get(&board->by_name, str_of(name, n));
    if (!slot) slot = slot_add(board, name, n, provider.n, model.n);
    if (slot) slot->refs++;
    mutex_unlock(&board->lock);
    return slot;
}

void board_slot_hold(struct board_slot *slot) {
    mutex_lock(&slot->board->lock);
    INVARIANT(slot->refs > 0);
    slot->refs++;
    mutex_unlock(&slot->board->lock);
}

void board_slot_put(struct board_slot *slot) {
    if (!slot) return;
    struct board *board = slot->board;
    mutex_lock(&board->lock);
    INVARIANT(slot->refs > 0);
    if (--slot->refs == 0) slot->put_turn = ++board->turn;
    mutex_unlock(&board->lock);
}

struct str board_slot_provider(const struct board_slot *slot) {
    return slot->provider;
}
struct str board_slot_model(const struct board_slot *slot) {
    return slot->model;
}
struct str board_slot_key(const struct board_slot *slot) {
    return slot->key;
}

size_t board_slots(struct board *board, struct board_slot **out_slots, size_t max) {
    size_t n = 0;
    mutex_lock(&board->lock);
    for (size_t i = 0; i < board->count && n < max; i++)
        if (board->slots[i]->refs) {
            board->slots[i]->refs++;
            board->slots[i]->shown = true;
            out_slots[n++] = board->slots[i];
        }
    mutex_unlock(&board->lock);
    return n;
}

size_t board_slots_left(struct board *board, struct board_slot **out_slots, size_t max) {
    size_t n = 0;
    mutex_lock(&board->lock);
    for (size_t i = 0; i < board->count && n < max; i++) {
        struct board_slot *slot = board->slots[i];
        if (slot->refs || !slot->shown) continue;
        slot->shown = false;
        slot->refs++;
        out_slots[n++] = slot;
    }
    mutex_unlock(&board->lock);
    return n;
}
