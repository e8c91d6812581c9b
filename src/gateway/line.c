// Who is next of those that wait.
#include "gateway/line.h"

#include "base/mem.h"

#define IDLE_MAX 64 // beyond these, who was served lately is forgotten

// Of one key in one class of a lane.
struct line_flow {
    struct line_flow *next;
    struct line_lane *lane;
    unsigned class;
    uint64_t key;
    uint64_t start; // its turn; without items: the earliest it may have
    struct line_item *first;
};

// --- lanes and flows ---

static struct line_lane *lane_of(struct line *line, uint64_t id) {
    for (struct line_lane *lane = line->lanes; lane; lane = lane->next)
        if (lane->id == id) return lane;
    struct line_lane *lane = mem_zalloc(1, sizeof *lane);
    if (!lane) return NULL;
    lane->id = id;
    lane->next = line->lanes;
    line->lanes = lane;
    return lane;
}

// Those without items, or all.
static void drop_flows(struct line_lane *lane, bool all) {
    for (unsigned c = 0; c < LINE_CLASSES; c++)
        for (struct line_flow **at = &lane->flows[c], *flow; (flow = *at);) {
            if (flow->first && !all) {
                at = &flow->next;
                continue;
            }
            *at = flow->next;
            mem_free(flow);
        }
    lane->idle = 0;
}

static void drop_lane_if_empty(struct line *line, struct line_lane *lane) {
    if (lane->waiting) return;
    struct line_lane **at = &line->lanes;
    while (*at != lane) at = &(*at)->next;
    *at = lane->next;
    drop_flows(lane, true);
    mem_free(lane);
}

static struct line_flow *flow_of(struct line_lane *lane, unsigned class, uint64_t key) {
    for (struct line_flow *flow = lane->flows[class]; flow; flow = flow->next) {
        if (flow->key != key) continue;
        if (!flow->first) {
            lane->idle--;
            flow->start = MAX(flow->start, lane->clock[class]);
        }
        return flow;
    }
    struct line_flow *flow = mem_zalloc(1, sizeof *flow);
    if (!flow) return NULL;
    *flow = (struct line_flow){
        .next = lane->flows[class], .lane = lane, .class = class, .key = key, .start = lane->clock[class]};
    lane->flows[class] = flow;
    return flow;
}

// --- items ---

static void put_by_deadline(struct line_flow *flow, struct line_item *item) {
    struct line_item *before = NULL, *after = flow->first;
    while (after && after->deadline <= item->deadline) {
        before = after;
        after = after->next;
    }
    item->prev = before;
    item->next = after;
    if (after) after->prev = item;
    *(before ? &before->next : &flow->first) = item;
    item->flow = flow;
}

bool line_add(struct line *line, uint64_t lane_id, unsigned class, uint64_t key, uint64_t deadline,
              struct line_item *item) {
    INVARIANT(class < LINE_CLASSES && !item->flow);
    struct line_lane *lane = lane_of(line, lane_id);
    struct line_flow *flow = lane ? flow_of(lane, class, key) : NULL;
    if (!flow) {
        if (lane) drop_lane_if_empty(line, lane);
        return false;
    }
    item->deadline = deadline;
    put_by_deadline(flow, item);
    lane->waiting++;
    line->waiting++;
    return true;
}

static void take_out(struct line *line, struct line_item *item) {
    struct line_flow *flow = item->flow;
    struct line_lane *lane = flow->lane;
    *(item->prev ? &item->prev->next : &flow->first) = item->next;
    if (item->next) item->next->prev = item->prev;
    *item = (struct line_item){0};
    lane->waiting--;
    line->waiting--;
    if (!flow->first && ++lane->idle > IDLE_MAX) drop_flows(lane, false);
    drop_lane_if_empty(line, lane);
}

void line_leave(struct line *line, struct line_item *item) {
    if (item->flow) take_out(line, item);
}

void line_serve(struct line *line, struct line_item *item) {
    struct line_flow *flow = item->flow;
    flow->lane->clock[flow->class] = flow->start;
    flow->start++;
    take_out(line, item);
}

void line_turn(struct line *line) {
    struct line_lane *first = line->lanes, **end = &line->lanes;
    if (!first || !first->next) return;
    line->lanes = first->next;
    first->next = NULL;
    while (*end) end = &(*end)->next;
    *end = first;
}

static bool before(const struct line_flow *a, const struct line_flow *b) {
    if (a->start != b->start) return a->start < b->start;
    return a->first->deadline < b->first->deadline;
}

struct line_item *line_first(const struct line_lane *lane) {
    for (unsigned c = 0; c < LINE_CLASSES; c++) {
        const struct line_flow *best = NULL;
        for (const struct line_flow *flow = lane->flows[c]; flow; flow = flow->next)
            if (flow->first && (!best || before(flow, best))) best = flow;
        if (best) return best->first;
    }
    return NULL;
}
