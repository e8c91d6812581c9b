// How much Anthropic's models are asked to think, how long an answer may be, and what sampling that leaves.
#include "model/anthropic/anthropic.h"

#define BUDGET_MIN 1024
#define ANSWER_ROOM 4096 // of output beside the thoughts, where nobody says how much there may be

// The turn that is gone on with has calls but no thoughts, which a budget asks for.
static bool lacks_thoughts(const struct chat *chat) {
    for (size_t t = chat->count; t > 0; t--) {
        const struct chat_turn *turn = &chat->turns[t - 1];
        bool calls = false, thoughts = false;
        if (turn->role != CHAT_ASSISTANT) continue;
        for (size_t i = 0; i < turn->count; i++) {
            calls = calls || turn->parts[i].kind == CHAT_TOOL_CALL;
            thoughts =
                thoughts || ((turn->parts[i].kind == CHAT_THINKING || turn->parts[i].kind == CHAT_REDACTED_THINKING) &&
                             anthropic_part_fits(&turn->parts[i]));
        }
        return calls && !thoughts;
    }
    return false;
}

static void give_up(struct anthropic_writing *x, enum anthropic_thinking instead) {
    chat_drop(x->report, STR("reasoning_effort"));
    x->thinking = instead;
    x->effort = CHAT_EFFORT_UNSET;
    x->budget = 0;
}

// 1024 <= budget < max_tokens.
static void fit_budget(struct anthropic_writing *x) {
    const uint64_t most = x->family->max_output;
    if (lacks_thoughts(x->chat)) {
        give_up(x, ANTHROPIC_UNSAID);
        return;
    }
    x->budget = MAX(x->budget, (uint64_t)BUDGET_MIN);
    if (most) x->budget = MIN(x->budget, most - 1);
    if (!x->chat->max_output) {
        x->max_tokens = MAX(x->max_tokens, x->budget + ANSWER_ROOM);
        if (most) x->max_tokens = MIN(x->max_tokens, most);
    }
    if (x->budget < x->max_tokens) return;
    if (x->max_tokens > BUDGET_MIN)
        x->budget = x->max_tokens - 1;
    else
        give_up(x, ANTHROPIC_UNSAID);
}

static void switch_off(struct anthropic_writing *x) {
    uint32_t flags = x->family->flags;
    if (flags & ANTHROPIC_BETWEEN) {
        x->thinking = ANTHROPIC_OFF_BETWEEN;
    } else if (flags & ANTHROPIC_THINKS_ALWAYS) {
        chat_drop(x->report, STR("reasoning_effort"));
        x->effort = CHAT_EFFORT_LOW;
    } else if (flags & (ANTHROPIC_ADAPTIVE | ANTHROPIC_BUDGET)) {
        x->thinking = ANTHROPIC_OFF;
    }
}

void anthropic_plan_thinking(struct anthropic_writing *x) {
    const struct chat_reasoning *r = &x->chat->reasoning;
    uint32_t flags = x->family->flags;
    if (!r->effort && !r->budget && !r->adaptive) return;
    if (r->effort == CHAT_EFFORT_NONE) {
        switch_off(x);
        return;
    }
    if (x->forces || x->json_tool) { // one who has to call may not think first
        give_up(x, flags & ANTHROPIC_ADAPTIVE ? ANTHROPIC_OFF : ANTHROPIC_UNSAID);
        return;
    }
    bool by_budget = (flags & ANTHROPIC_BUDGET) && (!(flags & ANTHROPIC_ADAPTIVE) || (r->budget && !r->adaptive));
    if (by_budget) {
        x->thinking = ANTHROPIC_ON_BUDGET;
        x->budget = r->budget ? r->budget : chat_budget_of_effort(r->effort ? r->effort : CHAT_EFFORT_MEDIUM);
        fit_budget(x);
    } else if (flags & ANTHROPIC_ADAPTIVE) {
        x->thinking = ANTHROPIC_ON_ADAPTIVE;
        x->effort = r->effort || !r->budget ? r->effort : chat_effort_of_budget(r->budget);
    } else {
        give_up(x, ANTHROPIC_UNSAID);
    }
}

void anthropic_put_thinking(struct anthropic_writing *x) {
    static const struct str k_types[] = {[ANTHROPIC_OFF] = STR_INIT("disabled"),
                                         [ANTHROPIC_OFF_BETWEEN] = STR_INIT("between_tools"),
                                         [ANTHROPIC_ON_BUDGET] = STR_INIT("enabled"),
                                         [ANTHROPIC_ON_ADAPTIVE] = STR_INIT("adaptive")};
    bool on = x->thinking == ANTHROPIC_ON_BUDGET || x->thinking == ANTHROPIC_ON_ADAPTIVE;
    if (x->thinking == ANTHROPIC_UNSAID) return;
    json_put_member_object(&x->w, STR("thinking"));
    json_put_member_str(&x->w, STR("type"), k_types[x->thinking]);
    if (x->thinking == ANTHROPIC_ON_BUDGET) json_put_member_u64(&x->w, STR("budget_tokens"), x->budget);
    if (on && x->chat->reasoning.hidden)
        json_put_member_str(&x->w, STR("display"), STR("omitted"));
    else if (on && (x->family->flags & ANTHROPIC_OMITS))
        json_put_member_str(&x->w, STR("display"), STR("summarized"));
    json_put_object_end(&x->w);
}

// --- sampling ---

static double number(struct str raw, double otherwise) {
    double v = otherwise;
    return raw.p && json_raw_double(raw, &v) ? v : otherwise;
}

static void put_temperature(struct anthropic_writing *x, bool allowed) {
    struct str raw = x->chat->sampling.temperature;
    double v = number(raw, 1);
    if (!raw.p || v == 1) return; // it is the default
    if (!allowed)
        chat_drop(x->report, STR("temperature"));
    else if (v > 1) { // others count to 2
        chat_drop(x->report, STR("temperature"));
        json_put_member_u64(&x->w, STR("temperature"), 1);
    } else
        json_put_member_raw(&x->w, STR("temperature"), raw);
}

void anthropic_put_sampling(struct anthropic_writing *x) {
    const struct chat_sampling *s = &x->chat->sampling;
    bool samples = x->family->flags & ANTHROPIC_SAMPLES;
    bool thinks = x->thinking == ANTHROPIC_ON_BUDGET || x->thinking == ANTHROPIC_ON_ADAPTIVE;
    bool temperature = s->temperature.p && number(s->temperature, 1) != 1;
    put_temperature(x, samples && !thinks);
    double p = number(s->top_p, 1);
    bool one = (x->family->flags & ANTHROPIC_SAMPLES_ONE) && temperature && !thinks;
    if (s->top_p.p && p != 1) {
        if (samples && !one && (!thinks || p >= 0.95))
            json_put_member_raw(&x->w, STR("top_p"), s->top_p);
        else
            chat_drop(x->report, STR("top_p"));
    }
    if (s->top_k.p && samples && !thinks)
        json_put_member_raw(&x->w, STR("top_k"), s->top_k);
    else if (s->top_k.p)
        chat_drop(x->report, STR("top_k"));
}
