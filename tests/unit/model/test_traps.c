// The traps in translating between vendors, a test each: what has gone wrong in the field on the way from one dialect
// to another.
#include "way_rig.h"

#define HI "'messages':[{'role':'user','content':'hi'}]"

static size_t count(struct str text, const char *what) {
    struct arena arena;
    size_t n = 0;
    arena_init(&arena, NULL, 0, ROOM);
    struct str wanted = quotes(&arena, what);
    for (size_t at; (at = str_find(text, wanted)) < text.n; n++) text = str_from(text, at + wanted.n);
    arena_free(&arena);
    return n;
}

static void check_member(const struct asked *a, const char *name, const char *want) {
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    CHECK(a->ok);
    CHECK_STR(member(a, name), quotes(&arena, want));
    arena_free(&arena);
}

static struct asked to_claude(const char *body) {
    return ask(DIALECT_OPENAI, PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC, "claude-sonnet-4-5", body);
}
static struct asked to_gemini(const char *model, const char *body) {
    return ask(DIALECT_OPENAI, PROVIDER_GEMINI, DIALECT_GEMINI, model, body);
}

static bool drops(const struct asked *a, const char *name) {
    for (size_t i = 0; i < a->report.count; i++)
        if (str_eq(a->report.names[i], str_c(name))) return true;
    return false;
}

static struct told way(enum dialect from, enum dialect to, const char *stream) {
    struct told t;
    told_init(&t, to, "{}");
    tell(&t, from, to, quotes(&t.arena, stream), ROOM);
    return t;
}

// Systems anywhere become one, with the borders between them and their marks; contents are never empty.
static void trap_1_system(void) {
    struct asked a =
        to_claude("{'model':'m','messages':[{'role':'system','content':'a'},{'role':'user','content':'u'},{"
                  "'role':'assistant','content':'v'},{'role':'developer','content':[{'type':'text','text':"
                  "'b','cache_control':{'type':'ephemeral','ttl':'1h'}}]},{'role':'user','content':'w'}]}");
    check_member(&a, "system",
                 "[{'type':'text','text':'a'},{'type':'text','text':'b','cache_control':{'type':'ephemeral','ttl':'1h'"
                 "}}]");
    CHECK_INT(count(buf_str(&a.out), "'role':"), 3);
    asked_free(&a);
    a = to_gemini("gemini-2.5-flash", "{'model':'m','messages':[{'role':'system','content':'a'}]}");
    CHECK(says(&a, "'contents':[{'role':'user','parts':[{'text':' '}]}]") && says(&a, "'systemInstruction'"));
    asked_free(&a);
}

#define CALLS                                                                                                          \
    "{'role':'assistant','tool_calls':[{'id':'a','type':'function','function':{'name':'fa','arguments':'{}'}},{'id':"  \
    "'b','type':'function','function':{'name':'fb','arguments':'{}'}}]},"
#define RESULTS "{'role':'tool','tool_call_id':'b','content':'rb'},{'role':'tool','tool_call_id':'a','content':'ra'}"

// Turns of one role are merged, and all results of one turn stand in one.
static void trap_2_turns_alternate(void) {
    static const char body[] =
        "{'model':'m','messages':[{'role':'user','content':'u'},{'role':'user','content':'v'}," CALLS RESULTS
        ",{'role':'user','content':'w'}]}";
    struct asked a = to_claude(body);
    CHECK(a.ok);
    CHECK_INT(count(buf_str(&a.out), "'role':'user'"), 2);
    CHECK_INT(count(buf_str(&a.out), "'type':'tool_result'"), 2);
    asked_free(&a);
    a = ask(DIALECT_OPENAI, PROVIDER_BEDROCK, DIALECT_BEDROCK, "anthropic.claude-3-5-sonnet-20240620-v1:0", body);
    CHECK(a.ok);
    CHECK_INT(count(buf_str(&a.out), "'role':'user'"), 2);
    CHECK_INT(count(buf_str(&a.out), "'toolResult'"), 2);
    asked_free(&a);
}

// Google pairs results with calls by their places, and Vertex AI refuses ids.
static void trap_3_results_in_the_order_of_calls(void) {
    struct asked a =
        to_gemini("gemini-2.5-flash", "{'model':'m','messages':[{'role':'user','content':'u'}," CALLS RESULTS "]}");
    CHECK(says(&a,
               "{'parts':[{'functionResponse':{'name':'fa','response':{'output':'ra'}}},{'functionResponse':{'name':"
               "'fb','response':{'output':'rb'}}}]") ||
          says(&a, "'parts':[{'functionResponse':{'name':'fa','response':{'output':'ra'}}},{'functionResponse':{'name':"
                   "'fb','response':{'output':'rb'}}}]"));
    CHECK(a.ok && !says(&a, "'id'"));
    asked_free(&a);
}

// Arguments are text here and an object there: none at all, cut off, and streamed as an empty text.
static void trap_4_arguments(void) {
    struct asked a =
        to_claude("{'model':'m','messages':[{'role':'user','content':'u'},{'role':'assistant','tool_calls':[{"
                  "'id':'a','type':'function','function':{'name':'f','arguments':''}},{'id':'b','type':"
                  "'function','function':{'name':'f','arguments':'{\\'x\\':'}}]}]}");
    CHECK(a.ok && says(&a, "'input':{}") && says(&a, "'input':{'_invalid':'{\\'x\\':'}"));
    asked_free(&a);
    struct told t = way(
        DIALECT_ANTHROPIC, DIALECT_OPENAI,
        "data: {'type':'message_start','message':{'id':'m'}}\n\n"
        "data: {'type':'content_block_start','index':0,'content_block':{'type':'tool_use','id':'a','name':'f','input':"
        "{}}}\n\ndata: {'type':'content_block_delta','index':0,'delta':{'type':'input_json_delta','partial_json':''}}"
        "\n\ndata: {'type':'content_block_stop','index':0}\n\n");
    CHECK(t.ok);
    CHECK_INT(count(buf_str(&t.out), "'arguments':'{}'"), 1);
    told_free(&t);
}

// Calls are numbered among calls here and among blocks there; some vendors number all of them 0.
static void trap_5_numbers_of_calls(void) {
    struct told t =
        way(DIALECT_ANTHROPIC, DIALECT_OPENAI,
            "data: {'type':'content_block_start','index':0,'content_block':{'type':'text','text':'x'}}\n\n"
            "data: {'type':'content_block_stop','index':0}\n\n"
            "data: {'type':'content_block_start','index':1,'content_block':{'type':'tool_use','id':'a','name':"
            "'f','input':{}}}\n\ndata: {'type':'content_block_stop','index':1}\n\n");
    CHECK(t.ok && has(&t, "'tool_calls':[{'index':0,'id':'a'"));
    told_free(&t);
    t = way(
        DIALECT_OPENAI, DIALECT_ANTHROPIC,
        "data: {'choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f','arguments':"
        "'{}'}}]}}]}\n\ndata: {'choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'b','function':{'name':"
        "'g','arguments':'{}'}}]}}]}\n\n");
    CHECK(t.ok && has(&t, "'index':0,'content_block':{'type':'tool_use','id':'a','name':'f'"));
    CHECK(has(&t, "'index':1,'content_block':{'type':'tool_use','id':'b','name':'g'"));
    told_free(&t);
}

// A stream ends as it must also where the provider's has not.
static void trap_6_grammar_of_streams(void) {
    struct told t = way(DIALECT_OPENAI, DIALECT_ANTHROPIC,
                        "data: {'choices':[{'index':0,'delta':{'content':'x'}}]}\n\ndata: [DONE]\n\n");
    static const char *const k_once[] = {"event: message_start",      "event: content_block_start",
                                         "event: content_block_stop", "event: message_delta",
                                         "event: message_stop",       "'stop_reason':'end_turn'"};
    for (size_t i = 0; i < ARRAY_LEN(k_once); i++) CHECK_INT(count(buf_str(&t.out), k_once[i]), 1);
    told_free(&t);
}

static void check_finish(enum dialect from, enum dialect to, const char *stream, const char *want) {
    struct told t = way(from, to, stream);
    if (!has(&t, want)) fprintf(stderr, "no %s of %s\n", want, stream);
    CHECK(t.ok && has(&t, want));
    told_free(&t);
}

static void trap_7_reasons_to_stop(void) {
    static const struct {
        const char *reason, *want;
    } k_claude[] = {{"end_turn", "stop"},          {"stop_sequence", "stop"},
                    {"pause_turn", "stop"},        {"max_tokens", "length"},
                    {"tool_use", "stop"}, // without any call: it is the one that stands for a schema
                    {"refusal", "content_filter"}, {"model_context_window_exceeded", "length"}},
      k_google[] = {{"STOP", "stop"},
                    {"MAX_TOKENS", "length"},
                    {"SAFETY", "content_filter"},
                    {"BLOCKLIST", "content_filter"},
                    {"PROHIBITED_CONTENT", "content_filter"},
                    {"SPII", "content_filter"},
                    {"IMAGE_SAFETY", "content_filter"},
                    {"MALFORMED_FUNCTION_CALL", "stop"},
                    {"OTHER", "stop"}};
    char text[300], want[60];
    for (size_t i = 0; i < ARRAY_LEN(k_claude); i++) {
        snprintf(text, sizeof text, "data: {'type':'message_delta','delta':{'stop_reason':'%s'}}\n\n",
                 k_claude[i].reason);
        snprintf(want, sizeof want, "'finish_reason':'%s'", k_claude[i].want);
        check_finish(DIALECT_ANTHROPIC, DIALECT_OPENAI, text, want);
    }
    for (size_t i = 0; i < ARRAY_LEN(k_google); i++) {
        snprintf(text, sizeof text, "data: {'candidates':[{'finishReason':'%s'}]}\n\n", k_google[i].reason);
        snprintf(want, sizeof want, "'finish_reason':'%s'", k_google[i].want);
        check_finish(DIALECT_GEMINI, DIALECT_OPENAI, text, want);
    }
    check_finish(DIALECT_GEMINI, DIALECT_OPENAI, "data: {'promptFeedback':{'blockReason':'SAFETY'}}\n\n",
                 "'finish_reason':'content_filter'");
    check_finish(DIALECT_GEMINI, DIALECT_OPENAI,
                 "data: {'candidates':[{'content':{'parts':[{'functionCall':{'name':'f','args':{}}}]}}]}\n\n"
                 "data: {'candidates':[{'content':{'parts':[{'text':''}]},'finishReason':'STOP'}]}\n\n",
                 "'finish_reason':'tool_calls'");
    check_finish(DIALECT_OPENAI, DIALECT_ANTHROPIC,
                 "data: {'choices':[{'index':0,'delta':{'content':'x','tool_calls':[{'index':0,'id':'a','function':{"
                 "'name':'f','arguments':'{}'}}]},'finish_reason':'tool_calls'}]}\n\n",
                 "'stop_reason':'tool_use'");
}

// What the cache gave is part of the prompt here and beside it there; what is told later counts, also a 0.
static void trap_8_usage(void) {
    struct told t = way(DIALECT_ANTHROPIC, DIALECT_OPENAI,
                        "data: {'type':'message_start','message':{'id':'m','usage':{'input_tokens':10,"
                        "'cache_read_input_tokens':5,'cache_creation_input_tokens':3,'output_tokens':1}}}\n\n"
                        "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{'input_tokens':0,"
                        "'output_tokens':7}}\n\n");
    CHECK_INT(t.usage.prompt, 8);
    CHECK_INT(t.usage.cached, 5);
    CHECK_INT(t.usage.cache_write, 3);
    CHECK(has(&t, "'prompt_tokens':8,'completion_tokens':7,'total_tokens':15"));
    told_free(&t);
    t = way(DIALECT_OPENAI, DIALECT_ANTHROPIC,
            "data: {'choices':[],'usage':{'prompt_tokens':18,'completion_tokens':7,'prompt_tokens_details':{"
            "'cached_tokens':5}}}\n\n");
    CHECK(has(&t, "'input_tokens':13,'cache_creation_input_tokens':0,'cache_read_input_tokens':5"));
    told_free(&t);
    t = way(DIALECT_GEMINI, DIALECT_OPENAI,
            "data: {'usageMetadata':{'promptTokenCount':4,'candidatesTokenCount':1,'thoughtsTokenCount':2}}\n\n"
            "data: {'usageMetadata':{'promptTokenCount':4,'candidatesTokenCount':3,'thoughtsTokenCount':2}}\n\n");
    CHECK(has(&t, "'prompt_tokens':4,'completion_tokens':5,'total_tokens':9") && t.usage.reasoning == 2);
    told_free(&t);
}

// Counts come behind the end; they are asked for, and who has not asked is not told.
static void trap_9_usage_behind_the_end(void) {
    struct asked a = ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
                         "{'model':'m','max_tokens':9,'stream':true," HI "}");
    CHECK(says(&a, "'stream_options':{'include_usage':true}"));
    asked_free(&a);
    static const char stream[] = "data: {'choices':[{'index':0,'delta':{'content':'x'},'finish_reason':'stop'}]}\n\n"
                                 "data: {'choices':[],'usage':{'prompt_tokens':3,'completion_tokens':9}}\n\n"
                                 "data: [DONE]\n\n";
    struct told t = way(DIALECT_OPENAI, DIALECT_ANTHROPIC, stream);
    CHECK(has(&t, "'stop_reason':'end_turn','stop_sequence':null},'usage':{'input_tokens':3,") &&
          has(&t, "'output_tokens':9"));
    told_free(&t);
    told_init(&t, DIALECT_OPENAI, "{}");
    t.reply.wants_usage = false;
    tell(&t, DIALECT_OPENAI, DIALECT_OPENAI, quotes(&t.arena, stream), ROOM);
    CHECK(!has(&t, "usage") && t.usage.output == 9);
    told_free(&t);
    CHECK(dialect_get(DIALECT_OPENAI)->only_usage(STR("{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}")));
}

// Thoughts go back with what signs them, first in their turn; what may be thought is less than what may be said.
static void trap_10_thinking(void) {
    struct asked a = to_claude(
        "{'model':'m','max_tokens':2000,'temperature':0.2,'thinking':{'type':'enabled','budget_tokens':9000},'messages'"
        ":["
        "{'role':'user','content':'u'},{'role':'assistant','content':'v','reasoning_content':'t','thinking_blocks':[{"
        "'type':'thinking','thinking':'t\\u00e9','signature':'s=='},{'type':'redacted_thinking','data':'r=='}]},{'role'"
        ":"
        "'user','content':'w'}]}");
    CHECK(a.ok && says(&a, "'content':[{'type':'thinking','thinking':'t\\u00e9','signature':'s=='},{'type':"
                           "'redacted_thinking','data':'r=='},{'type':'text','text':'v'}]"));
    CHECK(says(&a, "'budget_tokens':1999") && !member(&a, "temperature").p && drops(&a, "temperature"));
    asked_free(&a);
}

// What signs a call of Google's comes back in the call's id; a call that is not its own gets the stand-in.
static void trap_11_signatures_of_calls(void) {
    struct told t = way(DIALECT_GEMINI, DIALECT_ANTHROPIC,
                        "data: {'candidates':[{'content':{'parts':[{'functionCall':{'id':'c','name':'f','args':{}},"
                        "'thoughtSignature':'AB+/'}]}}]}\n\n");
    CHECK(has(&t, "'id':'c__ts_AB-_'"));
    told_free(&t);
    struct asked a =
        ask(DIALECT_ANTHROPIC, PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-3-pro",
            "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'u'},{'role':'assistant',"
            "'content':[{'type':'tool_use','id':'c__ts_AB-_','name':'f','input':{}},{'type':'tool_use','id':"
            "'d','name':'f','input':{}}]}]}");
    CHECK_INT(count(buf_str(&a.out), "'thoughtSignature':'AB-_'"), 1);
    CHECK_INT(count(buf_str(&a.out), "thoughtSignature"), 1);
    asked_free(&a);
    a = to_gemini("gemini-3-pro", "{'model':'m','messages':[{'role':'user','content':'u'}," CALLS RESULTS "]}");
    CHECK_INT(count(buf_str(&a.out), "'skip_thought_signature_validator'"), 1);
    asked_free(&a);
}

// Marks of the cache are kept whole wherever they stand, four of them.
static void trap_12_marks_of_the_cache(void) {
    struct asked a = to_claude(
        "{'model':'m','tools':[{'type':'function','function':{'name':'f','parameters':{'type':'object'}},'cache_"
        "control':{"
        "'type':'ephemeral','scope':'x'}}],'messages':[{'role':'system','content':[{'type':'text','text':'s',"
        "'cache_control':{'type':'ephemeral','ttl':'1h'}}]},{'role':'user','content':[{'type':'image_url','image_url':{"
        "'url':'https://a/"
        "b.png'},'cache_control':{'type':'ephemeral'}},{'type':'text','text':'t','cache_control':{'type':"
        "'ephemeral'}},{'type':'text','text':'v','cache_control':{'type':'ephemeral'}}]}]}");
    CHECK_INT(count(buf_str(&a.out), "'cache_control'"), 4);
    CHECK(says(&a, "'cache_control':{'type':'ephemeral','scope':'x'}") && drops(&a, "cache_control"));
    CHECK(says(&a, "'source':{'type':'url','url':'https://a/b.png'},'cache_control':{'type':'ephemeral'}"));
    asked_free(&a);
}

#define SCHEMA(s)                                                                                                      \
    "{'model':'m'," HI ",'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':" s "}}}"

// Schemas: closed for one, as they are for another, in a subset with references written out for a third.
static void trap_13_structured_output(void) {
    struct asked a = to_claude(SCHEMA("{'type':'object','properties':{'a':{'type':'integer','minimum':1}}}"));
    CHECK(a.ok && says(&a, "'additionalProperties':false") && !says(&a, "'minimum':1"));
    asked_free(&a);
    a = to_gemini("gemini-2.5-flash", SCHEMA("{'type':'object','properties':{'a':{'type':['string','null']}}}"));
    CHECK(says(&a, "'responseJsonSchema':{'type':'object','properties':{'a':{'type':['string','null']}}}"));
    asked_free(&a);
    a = to_gemini(
        "gemini-1.5-pro",
        SCHEMA("{'$defs':{'N':{'type':'object','properties':{'next':{'$ref':'#/$defs/N'},'v':{'const':'k'},'w':{"
               "'anyOf':[{'type':'string'},{'type':'null'}]},'l':{'type':'array'}},'additionalProperties':false"
               "}},'$ref':'#/$defs/N'}"));
    CHECK(a.ok && !says(&a, "$ref") && !says(&a, "additionalProperties"));
    CHECK(says(&a, "'enum':['k']") && says(&a, "'nullable':true") && says(&a, "'items':{'type':'STRING'}"));
    asked_free(&a);
}

static void trap_14_tools(void) {
    struct asked a =
        to_claude("{'model':'m'," HI ",'tools':[{'type':'function','function':{'name':'f'}},{'type':'function',"
                  "'function':{'name':'g','parameters':{'type':'object','x-own':1}}}],'tool_choice':'required',"
                  "'parallel_tool_calls':false}");
    CHECK(says(&a, "'input_schema':{'type':'object','properties':{}}") && says(&a, "'x-own':1"));
    check_member(&a, "tool_choice", "{'type':'any','disable_parallel_tool_use':true}");
    asked_free(&a);
    a = to_claude("{'model':'m'," HI
                  ",'tools':[{'type':'function','function':{'name':'f'}},{'type':'function','function':{"
                  "'name':'g'}}],'tool_choice':{'type':'allowed_tools','allowed_tools':{'mode':'auto','tools':[{'type':"
                  "'function','function':{'name':'g'}}]}}}");
    CHECK(a.ok && says(&a, "'name':'g'") && !says(&a, "'name':'f'"));
    asked_free(&a);
    a = ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
            "{'model':'m','max_tokens':9," HI ",'tools':[{'name':'f','input_schema':{'type':'object'}}],'tool_choice':{"
            "'type':'any','disable_parallel_tool_use':true}}");
    check_member(&a, "tool_choice", "'required'");
    check_member(&a, "parallel_tool_calls", "false");
    asked_free(&a);
}

static void trap_15_limits_of_the_answer(void) {
    struct asked a = to_claude("{'model':'m'," HI "}");
    CHECK(a.ok && member(&a, "max_tokens").n);
    asked_free(&a);
    a = ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "o3-mini",
            "{'model':'m','max_tokens':9,'temperature':0.5,'top_p':0.5," HI "}");
    check_member(&a, "max_completion_tokens", "9");
    CHECK(!member(&a, "max_tokens").p && !member(&a, "temperature").p && !member(&a, "top_p").p);
    CHECK(drops(&a, "temperature") && drops(&a, "top_p"));
    asked_free(&a);
}

#define IMAGE(url)                                                                                                     \
    "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':'" url "'}}]}]}"

static void trap_16_images_and_files(void) {
    struct asked a = to_claude(IMAGE("DATA:image/PNG;charset=x;Base64,iVBORw0KGgo="));
    CHECK(says(&a, "'source':{'type':'base64','media_type':'image/png','data':'iVBORw0KGgo='}"));
    asked_free(&a);
    a = to_claude(IMAGE("data:image/png;base64,/9j/4AAQ")); // a JPEG by its bytes
    CHECK(says(&a, "'media_type':'image/jpeg'"));
    asked_free(&a);
    a = to_claude(IMAGE("https://a/b.png"));
    CHECK(says(&a, "'source':{'type':'url','url':'https://a/b.png'}"));
    asked_free(&a);
    a = to_gemini("gemini-1.5-pro", IMAGE("https://a/b.png"));
    CHECK(!a.ok && a.err.code == ERR_INVALID_FIELD); // which does not fetch it
    asked_free(&a);
    a = ask(
        DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
        "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'u'},{'role':'assistant','content':[{'type':"
        "'tool_use','id':'a','name':'f','input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':"
        "'a','content':[{'type':'image','source':{'type':'url','url':'https://a'}}]}]}]}");
    CHECK(says(&a, "{'role':'tool','tool_call_id':'a','content':''}") && says(&a, "'image_url':{'url':'https://a'"));
    asked_free(&a);
}

static void trap_17_responses(void) {
    struct asked a =
        ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_RESPONSES, "gpt-4o",
            "{'model':'m','max_tokens':90,'messages':[{'role':'user','content':'u'},{'role':'assistant',"
            "'content':[{'type':'tool_use','id':'a','name':'f','input':{}}]},{'role':'user','content':[{'type':"
            "'tool_result','tool_use_id':'a','content':'r'}]}]}");
    CHECK(says(&a, "{'type':'function_call','call_id':'a','name':'f','arguments':'{}'},{'type':'function_call_output',"
                   "'call_id':'a','output':'r'}"));
    asked_free(&a);
    struct told t = way(DIALECT_RESPONSES, DIALECT_ANTHROPIC,
                        "event: response.failed\ndata: {'type':'response.failed','response':{'error':{'code':"
                        "'rate_limit_exceeded','message':'slow down'}}}\n\n");
    CHECK(t.failed && has(&t, "event: error") && has(&t, "slow down") && !has(&t, "message_stop"));
    told_free(&t);
    t = way(
        DIALECT_RESPONSES, DIALECT_ANTHROPIC,
        "data: {'type':'response.incomplete','response':{'incomplete_details':{'reason':'max_output_tokens'}}}\n\n");
    CHECK(has(&t, "'stop_reason':'max_tokens'"));
    told_free(&t);
    t = way(DIALECT_OPENAI, DIALECT_RESPONSES, "data: {'choices':[{'index':0,'delta':{'content':'x'}}]}\n\n");
    CHECK(has(&t, "'sequence_number':0") && has(&t, "'sequence_number':8") && !has(&t, "'sequence_number':9"));
    told_free(&t);
}

static void trap_18_errors(void) {
    struct chat_failure f;
    const struct dialect_ops *google = dialect_get(DIALECT_GEMINI), *claude = dialect_get(DIALECT_ANTHROPIC);
    REQUIRE(google->read_failure(
        STR("[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}}]"), 429, NULL, &f));
    CHECK(f.kind == CHAT_FAIL_RATE_LIMIT && f.status == 429);
    REQUIRE(claude->read_failure(
        STR("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}"), 529, NULL, &f));
    CHECK(f.kind == CHAT_FAIL_OVERLOADED);
    REQUIRE(claude->read_failure(STR("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
                                     "\"prompt is too long: 9 tokens\"}}"),
                                 400, NULL, &f));
    CHECK(f.kind == CHAT_FAIL_CONTEXT_LENGTH);
    struct told t =
        way(DIALECT_ANTHROPIC, DIALECT_OPENAI,
            "data: {'type':'content_block_start','index':0,'content_block':{'type':'text','text':'x'}}\n\n"
            "event: error\ndata: {'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}"
            "\n\n");
    CHECK(t.failed && has(&t, "'error':{'message':'Overloaded'") && !has(&t, "'finish_reason':'"));
    told_free(&t);
}

static void trap_19_transport(void) {
    struct told t = way(DIALECT_ANTHROPIC, DIALECT_OPENAI,
                        "\xef\xbb\xbf: a comment\r\n\r\nevent: ping\r\ndata: {'type':'ping'}\r\n\r\n"
                        "event: content_block_start\r\ndata: {'type':'content_block_start',\r\ndata: 'index':0,"
                        "'content_block':{'type':'text','text':'x\xc3\xa9'}}\r\n\r\n"
                        "data: {'type':'message_delta','delta':{'stop_reason':'max_tokens'}}");
    CHECK(t.ok && has(&t, "'content':'x\xc3\xa9'") && has(&t, "'finish_reason':'length'"));
    told_free(&t);
}

// Nothing goes without a word.
static void trap_20_what_is_dropped_is_named(void) {
    struct asked a = to_claude("{'model':'m'," HI ",'logit_bias':{'1':1},'seed':7,'n':2,'frequency_penalty':1}");
    CHECK(drops(&a, "logit_bias") && drops(&a, "seed") && drops(&a, "n") && drops(&a, "frequency_penalty"));
    asked_free(&a);
    struct arena arena;
    struct chat chat;
    struct model_request request;
    struct err err;
    arena_init(&arena, NULL, 0, ROOM);
    const struct dialect_ops *openai = dialect_get(DIALECT_OPENAI);
    struct model_request_in in = {
        .operation = OPERATION_CHAT, .body = quotes(&arena, "{'model':'m'," HI ",'own_member':1}"), .depth = 64};
    REQUIRE(openai->peek(&in, &arena, &request, &err) && openai->read(&request, &arena, &chat, &err));
    CHECK(chat.other_count == 1 && str_eq(chat.others[0], STR("own_member")));
    arena_free(&arena);
}

TEST_MAIN(trap_1_system, trap_2_turns_alternate, trap_3_results_in_the_order_of_calls, trap_4_arguments,
          trap_5_numbers_of_calls, trap_6_grammar_of_streams, trap_7_reasons_to_stop, trap_8_usage,
          trap_9_usage_behind_the_end, trap_10_thinking, trap_11_signatures_of_calls, trap_12_marks_of_the_cache,
          trap_13_structured_output, trap_14_tools, trap_15_limits_of_the_answer, trap_16_images_and_files,
          trap_17_responses, trap_18_errors, trap_19_transport, trap_20_what_is_dropped_is_named)
