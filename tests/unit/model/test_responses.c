// Tests of the Responses dialect: requests read and written, answers and streams both ways, signatures, continuations.
#include "base/mem.h"
#include "check.h"
#include "model/openai_error.h"
#include "model/provider.h"
#include "model/responses/responses.h"
#include "model/translate.h"

#include <stdlib.h>

static struct arena g_arena;

// JSON is written with ' for " here.
static struct str j(const char *text) {
    char *p = arena_cstr(&g_arena, str_c(text));
    REQUIRE(p);
    for (char *c = p; *c; c++)
        if (*c == '\'') *c = '"';
    return str_c(p);
}

static bool peek(struct str body, struct model_request *out, struct err *err) {
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = body, .depth = 64};
    return responses_peek(&in, &g_arena, out, err);
}

static bool read_it(const char *body, struct chat *out, struct err *err) {
    struct model_request q;
    return peek(j(body), &q, err) && responses_read(&q, &g_arena, out, err);
}

// The request read and written again.
static struct str again(const char *body, const char *model, struct chat_report *report) {
    struct provider_traits traits = {.refuses = STR("")};
    struct chat_target target = {.model = str_c(model), .traits = &traits};
    struct buf out = BUF_INIT(1 << 20);
    struct chat chat;
    struct err err;
    REQUIRE(read_it(body, &chat, &err));
    if (!responses_write(&chat, &target, &g_arena, &out, report, &err)) REQUIRE(false);
    CHECK(json_validate(buf_str(&out), 0, &err));
    struct str text = arena_str(&g_arena, buf_str(&out));
    buf_free(&out);
    return text;
}

static void check_wrong(const char *body, const char *param) {
    struct chat chat;
    struct err err = {.code = ERR_COUNT};
    bool ok = read_it(body, &chat, &err);
    CHECK(!ok);
    if (!ok) CHECK_STR(str_c(err.param), str_c(param));
}

// --- requests ---

static void peeks(void) {
    struct model_request q;
    struct err err;
    REQUIRE(peek(j("{'model':'m','input':'hello','stream':true,'max_output_tokens':7} "), &q, &err));
    CHECK_STR(q.model, STR("m"));
    CHECK_STR(q.input, STR("\"hello\""));
    CHECK(q.stream && q.max_output == 7 && q.dialect == DIALECT_RESPONSES);
    CHECK(peek(j("{'model':'m','background':false,'conversation':null,'input':null}"), &q, &err));
    CHECK(!peek(j("{'model':'m','input':'x','background':true}"), &q, &err));
    CHECK_STR(str_c(err.param), STR("background"));
    CHECK(!peek(j("{'model':'m','input':'x','conversation':'conv_1'}"), &q, &err));
    CHECK(!peek(j("{'model':'','input':'x'}"), &q, &err));
    CHECK(!peek(j("{'model':'m','input':7}"), &q, &err));
    CHECK(!peek(j("{'input':'x'}"), &q, &err) && err.code == ERR_MISSING_FIELD);
    CHECK(!peek(STR(""), &q, &err) && !peek(STR("[]"), &q, &err) && !peek(STR("{"), &q, &err));
}

static struct str rewritten(const char *body, const char *model) {
    struct model_request q;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n;
    struct chat_target target = {.model = str_c(model)};
    REQUIRE(peek(j(body), &q, &err) && responses_rewrite(&q, &target, &g_arena, slices, &n, &err));
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < n; i++) buf_put(&b, slices[i]);
    struct str out = arena_str(&g_arena, buf_str(&b));
    buf_free(&b);
    return out;
}

static void passes_through(void) {
    CHECK_STR(rewritten("{ 'model':'m', 'input' : 'x','x':1}", "m"), j("{ 'model':'m', 'input' : 'x','x':1}"));
    CHECK_STR(rewritten("{'model':'m','input':'x'}", "gpt"), j("{'model':'gpt','input':'x'}"));
    // What a response was continued from is in the input by then.
    CHECK_STR(rewritten("{'previous_response_id':'resp_1','model':'m','input':'x'}", "m"),
              j("{'model':'m','input':'x'}"));
    CHECK_STR(rewritten("{'model':'m','strict':true,'input':'x'}", "m"), j("{'model':'m','input':'x'}"));
    // Another provider's secrets would be refused.
    CHECK_STR(rewritten("{'model':'m','input':[{'type':'reasoning','summary':[],'encrypted_content':'gAAA'},"
                        "{'type':'reasoning','summary':[],'encrypted_content':'penstock:1:thinking:abc'},"
                        "{'role':'user','content':'penstock:1:thinking:'}]}",
                        "m"),
              j("{'model':'m','input':[{'type':'reasoning','summary':[],'encrypted_content':'gAAA'},"
                "{'role':'user','content':'penstock:1:thinking:'}]}"));
}

static void reads_a_string(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_it("{'model':'m','instructions':'Be \\u00e4','input':'hello'}", &c, &err));
    REQUIRE(c.count == 2 && c.turns[0].count == 1 && c.turns[1].count == 1);
    CHECK(c.turns[0].role == CHAT_SYSTEM && c.turns[1].role == CHAT_USER);
    CHECK_STR(c.turns[0].parts[0].text, STR("\"Be \\u00e4\""));
    CHECK(c.parallel_tools == -1 && c.other_count == 0);
}

// Calls and results stand beside messages here, and become parts of turns: trap of wire formats.
static void reads_items(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_it("{'model':'m','input':["
                    "{'role':'developer','content':'rules'},"
                    "{'type':'message','role':'user','content':[{'type':'input_text','text':'see'},"
                    "{'type':'input_image','image_url':'data:image/PNG;base64,AAAA','detail':'low'},"
                    "{'type':'input_image','image_url':'https:\\/\\/x/y.png'},"
                    "{'type':'input_file','filename':'a.pdf','file_data':'data:application/pdf;base64,JVBE'},"
                    "{'type':'input_file','file_url':'https://x/a.pdf'},{'type':'input_file','file_id':'file-1'}]},"
                    "{'type':'reasoning','id':'rs_1','summary':[{'type':'summary_text','text':'hm'}],"
                    "'encrypted_content':'penstock:1:thinking:c2ln'},"
                    "{'type':'message','id':'msg_1','status':'completed','role':'assistant','content':["
                    "{'type':'output_text','text':'I call','annotations':[]}]},"
                    "{'type':'function_call','call_id':'c1','name':'f','arguments':'{\\'a\\':1}'},"
                    "{'type':'function_call','id':'fc_2','call_id':'c2','name':'g','arguments':''},"
                    "{'type':'function_call_output','call_id':'c1','output':'sun'},"
                    "{'type':'function_call_output','call_id':'c2','output':[{'type':'input_text','text':'t'},"
                    "{'type':'input_image','image_url':'data:image/png;base64,BBBB'}]},"
                    "{'role':'user','content':'and?'}]}",
                    &c, &err));
    REQUIRE(c.count == 5);
    CHECK(c.turns[0].role == CHAT_SYSTEM && c.turns[1].count == 6);
    const struct chat_part *p = c.turns[1].parts;
    CHECK(p[1].kind == CHAT_IMAGE && str_eq(p[1].media.mime, STR("image/png")));
    CHECK_STR(p[1].media.data, STR("AAAA"));
    CHECK_STR(p[1].media.detail, STR("\"low\""));
    CHECK_STR(p[2].media.url, STR("\"https:\\/\\/x/y.png\""));
    CHECK_STR(p[3].media.data, STR("JVBE"));
    CHECK_STR(p[3].media.name, STR("\"a.pdf\""));
    CHECK_STR(p[5].media.file_id, STR("\"file-1\""));
    // Thought, text and both calls are one turn; so are both results.
    REQUIRE(c.turns[2].role == CHAT_ASSISTANT && c.turns[2].count == 4);
    p = c.turns[2].parts;
    CHECK(p[0].kind == CHAT_THINKING && p[2].kind == CHAT_TOOL_CALL && p[3].kind == CHAT_TOOL_CALL);
    CHECK_STR(p[0].signature, STR("\"c2ln\""));
    CHECK_STR(p[2].args, STR("{\"a\":1}"));
    CHECK_STR(p[3].args, STR("{}"));
    REQUIRE(c.turns[3].role == CHAT_USER && c.turns[3].count == 2);
    CHECK(c.turns[3].parts[0].kind == CHAT_TOOL_RESULT && c.turns[3].parts[1].count == 2);
    CHECK(c.turns[3].parts[1].parts[1].kind == CHAT_IMAGE);
    CHECK(c.turns[4].role == CHAT_USER && c.turns[4].parts[0].kind == CHAT_TEXT);
}

static void reads_settings(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_it("{'model':'m','input':'x','temperature':0.5,'top_p':0.9,'max_output_tokens':99,"
                    "'parallel_tool_calls':false,'metadata':{'a':'b'},'user':'u','safety_identifier':'s',"
                    "'service_tier':'flex','prompt_cache_key':'k','top_logprobs':3,'truncation':'auto',"
                    "'include':['reasoning.encrypted_content','web_search_call.action.sources'],"
                    "'reasoning':{'effort':'xhigh','summary':'auto'},'store':false,'previous_response_id':'r',"
                    "'text':{'verbosity':'low','format':{'type':'json_schema','name':'n','strict':true,"
                    "'description':'d','schema':{'type':'object'}}},'max_tool_calls':3,'odd':null,'stream':true,"
                    "'stream_options':{'include_obfuscation':false},'conversation':null,'background':false}",
                    &c, &err));
    CHECK_STR(c.sampling.temperature, STR("0.5"));
    CHECK(c.max_output == 99 && c.parallel_tools == 0 && c.stream);
    CHECK_STR(c.user, STR("\"s\""));
    CHECK(c.reasoning.effort == CHAT_EFFORT_MAX && c.output == CHAT_OUTPUT_SCHEMA && c.output_strict == 1);
    CHECK_STR(c.output_name, STR("\"n\""));
    CHECK_STR(c.output_schema, j("{'type':'object'}"));
    CHECK_STR(c.verbosity, STR("\"low\""));
    CHECK_STR(c.logprobs, STR("3"));
    // All that cannot be said to others is named.
    REQUIRE(c.other_count == 3);
    CHECK_STR(c.others[0], STR("max_tool_calls"));
    CHECK_STR(c.others[1], STR("truncation"));
    CHECK_STR(c.others[2], STR("include"));
}

static void reads_tools(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_it("{'model':'m','input':'x','tools':[{'type':'function','name':'f','description':'d',"
                    "'parameters':{'type':'object'},'strict':true},{'type':'custom','name':'patch',"
                    "'format':{'type':'grammar','syntax':'lark','definition':'x'}},{'type':'web_search'},"
                    "{'type':'function','name':'g','parameters':null,'strict':null}],"
                    "'tool_choice':{'type':'function','name':'f'}}",
                    &c, &err));
    REQUIRE(c.tool_count == 4);
    CHECK(c.tools[0].strict == 1 && c.tools[1].schema.n && c.tools[2].hosted.n && !c.tools[3].schema.p);
    CHECK(c.tool_choice == CHAT_CHOICE_ONE && c.other_count == 1);
    CHECK_STR(c.tool_choice_name, STR("\"f\""));
    REQUIRE(
        read_it("{'model':'m','input':'x','tools':[{'type':'function','name':'f'},{'type':'function','name':'g'}],"
                "'tool_choice':{'type':'allowed_tools','mode':'required','tools':[{'type':'function','name':'g'}]}}",
                &c, &err));
    REQUIRE(c.tool_count == 1);
    CHECK_STR(c.tools[0].name, STR("\"g\""));
    CHECK(c.tool_choice == CHAT_CHOICE_ANY);
}

static void refuses_what_is_wrong(void) {
    check_wrong("{'model':'m'}", "input");
    check_wrong("{'model':'m','input':[]}", "input");
    check_wrong("{'model':'m','input':[7]}", "input[0]");
    check_wrong("{'model':'m','input':[{'role':'robot','content':'x'}]}", "input[0].role");
    check_wrong("{'model':'m','input':[{'role':'user'}]}", "input[0].content");
    check_wrong("{'model':'m','input':[{'role':'user','content':5}]}", "input[0].content");
    check_wrong("{'model':'m','input':[{'role':'user','content':[{'type':'input_text'}]}]}",
                "input[0].content[0].text");
    check_wrong("{'model':'m','input':[{'role':'user','content':['x']}]}", "input[0].content[0].type");
    check_wrong("{'model':'m','input':[{'role':'user','content':[{'type':'input_image'}]}]}",
                "input[0].content[0].image_url");
    check_wrong("{'model':'m','input':[{'type':'function_call','name':'f','arguments':'{}'}]}", "input[0].call_id");
    check_wrong("{'model':'m','input':[{'type':'function_call','call_id':'c','name':'f','arguments':{}}]}",
                "input[0].arguments");
    check_wrong("{'model':'m','input':[{'type':'function_call_output','call_id':'c'}]}", "input[0].output");
    check_wrong("{'model':'m','input':[{'type':'function_call_output','call_id':'c','output':[{'type':'x'}]}]}",
                "input[0].output[0].type");
    check_wrong("{'model':'m','input':[{'type':'item_reference','id':'msg_1'}]}", "input[0].id");
    check_wrong("{'model':'m','input':'x','tools':[{}]}", "tools[0]");
    check_wrong("{'model':'m','input':'x','tools':['x']}", "tools[0]");
    check_wrong("{'model':'m','input':'x','tools':[{'type':'function'}]}", "tools[0].name");
    check_wrong("{'model':'m','input':'x','tool_choice':'some'}", "tool_choice");
    check_wrong("{'model':'m','input':'x','tool_choice':{'type':'function'}}", "tool_choice.name");
    check_wrong("{'model':'m','input':'x','text':{'format':{'type':'xml'}}}", "text.format.type");
    check_wrong("{'model':'m','input':'x','text':{'format':{'type':'json_schema','name':'n'}}}", "text.format.schema");
    check_wrong("{'model':'m','input':'x','reasoning':{'effort':'huge'}}", "reasoning.effort");
    check_wrong("{'model':'m','input':'x','max_output_tokens':-1}", "max_output_tokens");
    check_wrong("{'model':'m','input':'x','prompt':{'id':'pmpt_1'}}", "prompt");
}

static void writes(void) {
    struct chat_report report = {0};
    CHECK_STR(
        again("{'model':'m','instructions':'Be brief','input':[{'role':'system','content':'More'},"
              "{'role':'user','content':[{'type':'input_text','text':'x'},"
              "{'type':'input_image','image_url':'data:image/png;base64,AA'}]},"
              "{'type':'function_call','call_id':'c','name':'f','arguments':'{\\'a\\': 1}'},"
              "{'type':'function_call_output','call_id':'c','output':'sun'}],"
              "'tools':[{'type':'function','name':'f','parameters':{'type':'object'}}],'tool_choice':'required',"
              "'parallel_tool_calls':true,'temperature':0.2,'max_output_tokens':5,'stream':true}",
              "gpt-4o", &report),
        j("{'model':'gpt-4o','instructions':'Be brief\\n\\nMore','input':[{'type':'message','role':'user','content':["
          "{'type':'input_text','text':'x'},{'type':'input_image','image_url':'data:image/png;base64,AA',"
          "'detail':'auto'}]},{'type':'function_call','call_id':'c','name':'f','arguments':'{\\'a\\': 1}'},"
          "{'type':'function_call_output','call_id':'c','output':'sun'}],'tools':[{'type':'function','name':'f',"
          "'parameters':{'type':'object'},'strict':false}],'tool_choice':'required','parallel_tool_calls':true,"
          "'temperature':0.2,'max_output_tokens':16,'store':false,'stream':true}"));
    CHECK(report.count == 0);
}

// Models that only reason refuse sampling; what they are to think next time comes back sealed.
static void writes_for_reasoning(void) {
    struct chat_report report = {0};
    CHECK_STR(again("{'model':'m','input':'x','reasoning':{'effort':'high'},'temperature':1}", "o3-pro", &report),
              j("{'model':'o3-pro','input':[{'type':'message','role':'user','content':[{'type':'input_text',"
                "'text':'x'}]}],'reasoning':{'effort':'high','summary':'auto'},"
                "'include':['reasoning.encrypted_content'],'store':false}"));
    REQUIRE(report.count == 1);
    CHECK_STR(report.names[0], STR("temperature"));
}

// Only what OpenAI sealed itself goes back to it.
static void keeps_signatures_apart(void) {
    struct chat_report report = {0};
    struct str text = again("{'model':'m','input':[{'role':'user','content':'x'},"
                            "{'type':'reasoning','summary':[],'encrypted_content':'gAAA\\/='},"
                            "{'type':'reasoning','summary':[{'type':'summary_text','text':'h'}],"
                            "'encrypted_content':'penstock:1:thinking:sig'},{'role':'assistant','content':'y'}]}",
                            "gpt-5", &report);
    CHECK(str_find(text, j("{'type':'reasoning','summary':[],'encrypted_content':'gAAA\\/='}")) < text.n);
    CHECK(str_find(text, STR("sig")) == text.n);
    REQUIRE(report.count == 1);
    CHECK_STR(report.names[0], STR("thinking"));
}

static void reads_signatures_of_calls(void) {
    struct chat c;
    struct err err;
    REQUIRE(read_it("{'model':'m','input':[{'role':'user','content':'x'},{'role':'assistant','content':'t'},"
                    "{'type':'reasoning','summary':[],'encrypted_content':'penstock:1:text:T1'},"
                    "{'type':'function_call','call_id':'c','name':'f','arguments':'{}'},"
                    "{'type':'reasoning','summary':[],'encrypted_content':'penstock:1:call:S1'},"
                    "{'type':'reasoning','summary':[],'encrypted_content':'penstock:1:redacted:R1'},"
                    "{'type':'reasoning','summary':[],'encrypted_content':'penstock:9:x'},"
                    "{'type':'reasoning','id':'rs_kept_elsewhere','summary':[]}]}",
                    &c, &err));
    REQUIRE(c.count == 2 && c.turns[1].count == 4);
    CHECK_STR(c.turns[1].parts[0].signature, STR("\"T1\""));
    CHECK_STR(c.turns[1].parts[1].signature, STR("\"S1\""));
    CHECK(c.turns[1].parts[2].kind == CHAT_REDACTED_THINKING);
    CHECK_STR(c.turns[1].parts[2].text, STR("\"R1\""));
}

// --- answers ---

static struct model_request g_request;
static struct chat_reply reply_to(const char *body) {
    struct err err;
    REQUIRE(peek(j(body), &g_request, &err));
    return (struct chat_reply){.id = STR("0000g00000000"),
                               .model = STR("small"),
                               .created = 1700000000,
                               .request = &g_request,
                               .arena = &g_arena};
}

static bool translate(struct str data, size_t cut, struct chat_reply *reply, struct buf *out, struct err *err) {
    struct translator t;
    bool ok = translator_init(&t, &dialect_responses, &dialect_responses, reply, 1 << 20, &g_arena, err);
    for (size_t at = 0, n; ok && at < data.n; at += n) {
        n = cut == 0 ? 1 : at == 0 && cut < data.n ? cut : data.n - at;
        ok = translator_feed(&t, str_of(data.p + at, n), at + n == data.n, err);
        buf_put(out, buf_str(&t.out));
        buf_clear(&t.out);
    }
    translator_free(&t);
    return ok;
}

static struct str load(const char *name) {
    char path[200];
    snprintf(path, sizeof path, "tests/data/streams/responses/%s.sse", name);
    FILE *f = fopen(path, "rb");
    REQUIRE(f);
    char *p = arena_alloc(&g_arena, 1 << 16);
    REQUIRE(p);
    size_t n = fread(p, 1, 1 << 16, f);
    fclose(f);
    return str_of(p, n);
}

static bool has(struct str text, const char *part) {
    struct str want = j(part);
    bool found = str_find(text, want) < text.n;
    if (!found) fprintf(stderr, "without %.*s:\n%.*s\n", STR_ARG(want), STR_ARG(text));
    return found;
}

// Each event is JSON, they are numbered without a gap, items and parts begin before they end, and the last is an end.
static void check_stream(struct str text) {
    struct str line, number;
    struct err err;
    uint64_t want = 0, n;
    long items = 0, parts = 0;
    while (text.n && str_split(&text, '\n', &line)) {
        if (!str_starts(line, STR("data: "))) continue;
        struct str data = str_from(line, 6), type = responses_string(data, STR("type"));
        CHECK(json_validate(data, 0, &err));
        REQUIRE(JSON_GET(data, &number, STR("sequence_number")) && json_raw_u64(number, &n));
        CHECK_INT(n, want++);
        items += json_string_eq(type, STR("response.output_item.added"));
        items -= json_string_eq(type, STR("response.output_item.done"));
        parts += json_string_eq(type, STR("response.content_part.added"));
        parts -= json_string_eq(type, STR("response.content_part.done"));
        CHECK(items == 0 || items == 1);
        CHECK(parts == 0 || (parts == 1 && items == 1));
    }
    CHECK_INT(items, 0);
    CHECK_INT(parts, 0);
}

static struct str stream_of(const char *name, const char *body) {
    struct chat_reply reply = reply_to(body);
    struct buf whole = BUF_INIT(1 << 20);
    struct err err;
    struct str data = load(name);
    if (!translate(data, data.n, &reply, &whole, &err)) REQUIRE(false);
    struct str out = arena_str(&g_arena, buf_str(&whole));
    check_stream(out);
    struct arena keep = g_arena; // what each cut takes is given back
    for (size_t cut = 0; cut < data.n; cut++) {
        arena_init(&g_arena, NULL, 0, SIZE_MAX);
        buf_clear(&whole);
        bool ok = translate(data, cut, &reply, &whole, &err);
        arena_free(&g_arena);
        g_arena = keep;
        if (!ok || !str_eq(out, buf_str(&whole))) fprintf(stderr, "%s cut at %zu differs\n", name, cut);
        REQUIRE(ok && str_eq(out, buf_str(&whole)));
    }
    buf_free(&whole);
    return out;
}

#define PLAIN "{'model':'small','input':'x'}"

static void streams_text(void) {
    struct str s = stream_of("text", PLAIN);
    CHECK(str_starts(s, STR("event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"
                            "\"response\":{\"id\":\"resp_0000g00000000\",\"object\":\"response\"")));
    CHECK(has(s, "event: response.output_item.added\ndata: {'type':'response.output_item.added','sequence_number':2,"
                 "'output_index':0,'item':{'id':'msg_0000g00000000_0','type':'message','status':'in_progress',"
                 "'role':'assistant','content':[]}}\n\n"));
    CHECK(has(s, "{'type':'response.content_part.added','sequence_number':3,'item_id':'msg_0000g00000000_0',"
                 "'output_index':0,'content_index':0,'part':{'type':'output_text','text':'','annotations':[],"
                 "'logprobs':[]}}"));
    CHECK(has(s, "'content_index':0,'delta':' durch \\'das\\' Tor','logprobs':[]}"));
    CHECK(has(s, "'annotation_index':0,'annotation':{'type':'url_citation','start_index':0,'end_index':33,"
                 "'url':'https://example.org/a?b=1','title':'Das \\'Tor\\''}}"));
    CHECK(has(s, "{'type':'response.output_text.done','sequence_number':9,'item_id':'msg_0000g00000000_0',"
                 "'output_index':0,'content_index':0,'text':'Wasser strömt durch \\'das\\' Tor\\n☃ 🌊','logprobs':[]}"));
    CHECK(has(s, "'status':'completed','background':false,'completed_at':1700000000,'error':null,"
                 "'incomplete_details':null,'model':'small','output':[{'id':'msg_0000g00000000_0','type':'message',"
                 "'status':'completed','role':'assistant','content':[{'type':'output_text','text':'Wasser"));
    CHECK(has(s, "'usage':{'input_tokens':36,'input_tokens_details':{'cached_tokens':12},'output_tokens':87,"
                 "'output_tokens_details':{'reasoning_tokens':0},'total_tokens':123}}}\n\n"));
}

static void streams_tools(void) {
    struct str s = stream_of("tools", PLAIN);
    CHECK(has(s, "'item':{'id':'fc_0000g00000000_0','type':'function_call','status':'in_progress',"
                 "'call_id':'call_A1','name':'weather','arguments':''}}"));
    CHECK(has(s, "'type':'response.function_call_arguments.done','sequence_number':6,'item_id':'fc_0000g00000000_0',"
                 "'output_index':0,'name':'weather','arguments':'{\\'city\\':\\'Zürich\\',\\'unit\\':\\'°C\\'}'}"));
    CHECK(has(s, "'output_index':1,'item':{'id':'fc_0000g00000000_1','type':'function_call','status':'completed',"
                 "'call_id':'call_B2','name':'clock','arguments':'{}'}}"));
    s = stream_of("interleaved", PLAIN);
    CHECK(has(s, "'call_id':'call_1','name':'weather','arguments':'{\\'city\\':\\'Bern\\'}'},"
                 "{'id':'fc_0000g00000000_1','type':'function_call','status':'completed','call_id':'call_2',"
                 "'name':'clock','arguments':'{\\'zone\\':\\'Bern\\'}'}]"));
}

static void streams_reasoning(void) {
    struct str s = stream_of("reasoning", PLAIN);
    CHECK(has(s, "'item':{'id':'rs_0000g00000000_0','type':'reasoning','summary':[],'encrypted_content':null}}"));
    CHECK(has(s, "'type':'response.reasoning_summary_part.added','sequence_number':3,'item_id':'rs_0000g00000000_0',"
                 "'output_index':0,'summary_index':0,'part':{'type':'summary_text','text':''}}"));
    CHECK(has(s, "'type':'response.reasoning_summary_text.done'"));
    CHECK(has(s, "'output':[{'id':'rs_0000g00000000_0','type':'reasoning','summary':[{'type':'summary_text',"
                 "'text':'**First** I look\\n\\nThen I say'}],'encrypted_content':'gAAAAABo+secret/=='},"
                 "{'id':'msg_0000g00000000_1'"));
}

static void streams_ends(void) {
    struct str s = stream_of("refusal", PLAIN);
    s = j(arena_cstr(&g_arena, s));
    CHECK(has(s, "'part':{'type':'refusal','refusal':''}}"));
    s = stream_of("incomplete", PLAIN);
    CHECK(has(s, "event: response.incomplete\n"));
    CHECK(has(s, "'status':'incomplete','background':false,'completed_at':null,'error':null,"
                 "'incomplete_details':{'reason':'max_output_tokens'}"));
    CHECK(has(s, "'output':[{'id':'msg_0000g00000000_0','type':'message','status':'incomplete'"));
    s = stream_of("hosted", PLAIN);
    CHECK(has(s, "'output_index':0,'content_index':0,'delta':'Found.'"));
    s = stream_of("cut", PLAIN); // the provider has just stopped talking
    CHECK(has(s, "event: response.completed\n"));
}

static void streams_failures(void) {
    struct str s = stream_of("failed", PLAIN);
    CHECK(has(s, "event: response.failed\n"));
    CHECK(has(s, "'status':'failed','background':false,'completed_at':null,'error':{'code':'server_error',"
                 "'message':'The model \\'failed\\' to generate a response.'}"));
    CHECK(has(s, "event: error\ndata: {'type':'error','sequence_number':"));
    s = stream_of("error", PLAIN);
    CHECK(has(s, "'error':{'code':'context_length_exceeded'"));
    CHECK(str_find(s, STR("response.completed")) == s.n);
}

static void repeats_what_was_asked(void) {
    struct str s = stream_of("text", "{'model':'small','input':'x','instructions':'I','tools':[{'type':'web_search'}],"
                                     "'metadata':{'a':'b'},'temperature':0.25,'user':null,'store':false}");
    CHECK(has(s, "'instructions':'I'"));
    CHECK(has(s, "'tools':[{'type':'web_search'}]"));
    CHECK(has(s, "'metadata':{'a':'b'}"));
    CHECK(has(s, "'temperature':0.25"));
    CHECK(has(s, "'store':false"));
}

// --- events of others ---

static struct str encoded(const char *body, const struct chat_event *events, size_t n) {
    struct chat_reply reply = reply_to(body);
    struct buf out = BUF_INIT(1 << 20);
    struct chat_sink *sink = arena_zalloc(&g_arena, dialect_responses.encoder_size);
    REQUIRE(sink);
    dialect_responses.encoder_init(sink, &reply, &out);
    for (size_t i = 0; i < n; i++) chat_emit(sink, &events[i]);
    struct str text = arena_str(&g_arena, buf_str(&out));
    buf_free(&out);
    check_stream(text);
    return text;
}

#define BEGIN(what)                                                                                                    \
    { .kind = CHAT_PART_BEGIN, .part_kind = CHAT_##what }
#define CALL(its, named)                                                                                               \
    { .kind = CHAT_PART_BEGIN, .part_kind = CHAT_TOOL_CALL, .id = STR_INIT(its), .name = STR_INIT(named) }
#define DELTA(said)                                                                                                    \
    { .kind = CHAT_DELTA, .text = STR_INIT(said) }
#define SIGNED(said)                                                                                                   \
    { .kind = CHAT_SIGNATURE, .text = STR_INIT(said) }
#define OVER                                                                                                           \
    { .kind = CHAT_PART_END }
#define FINISHED(how)                                                                                                  \
    {.kind = CHAT_FINISH, .finish = CHAT_FINISH_##how}, { .kind = CHAT_END }

// Each vendor's signature comes back to it through a client that keeps only the items.
static void carries_signatures(void) {
    const struct chat_event events[] = {
        {.kind = CHAT_BEGIN},
        BEGIN(THINKING),
        DELTA("I think"),
        SIGNED("sigA=="),
        OVER,
        BEGIN(REDACTED_THINKING),
        DELTA("opaque"),
        OVER,
        BEGIN(TEXT),
        DELTA("Hello"),
        SIGNED("sigT"),
        OVER,
        CALL("c1", "f"),
        DELTA("{}"),
        SIGNED("sigC"),
        OVER,
        CALL("c2", "g"),
        DELTA("{}"),
        OVER,
        FINISHED(TOOLS),
    };
    struct str s = encoded(PLAIN, events, ARRAY_LEN(events));
    struct str output, items;
    size_t at = str_find(s, STR("\"response\":{")), last = at;
    for (; at < s.n; at += 1 + str_find(str_from(s, at + 1), STR("\"response\":{"))) last = at;
    struct str object = str_from(s, last + 11);
    object.n = str_find(object, STR("}\n\n"));
    struct err err;
    REQUIRE(JSON_GET(object, &output, STR("output")) && responses_output_items(object, &g_arena, &items, &err));
    struct buf body = BUF_INIT(1 << 16);
    buf_lit(&body, "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"x\"},");
    buf_put(&body, items);
    buf_lit(&body, "]}");
    struct model_request q;
    struct chat c;
    REQUIRE(peek(buf_str(&body), &q, &err) && responses_read(&q, &g_arena, &c, &err));
    REQUIRE(c.count == 2 && c.turns[1].count == 5);
    const struct chat_part *p = c.turns[1].parts;
    CHECK(p[0].kind == CHAT_THINKING && p[1].kind == CHAT_REDACTED_THINKING && p[2].kind == CHAT_TEXT);
    CHECK_STR(p[0].text, STR("\"I think\""));
    CHECK_STR(p[0].signature, STR("\"sigA==\""));
    CHECK_STR(p[1].text, STR("\"opaque\""));
    CHECK_STR(p[2].signature, STR("\"sigT\""));
    CHECK_STR(p[3].signature, STR("\"sigC\""));
    CHECK(!p[4].signature.p);
    buf_free(&body);
}

// A tool of free text is called as a function of one text, and told as what it is.
static void calls_free_tools(void) {
    const struct chat_event events[] = {
        {.kind = CHAT_BEGIN},
        CALL("c1", "patch"),
        DELTA("{\\\"inp"),
        DELTA("ut\\\":\\\"*** \\\\\\\"A\\\\\\\"\\\\n\\\"}"),
        OVER,
        FINISHED(TOOLS),
    };
    struct str s =
        encoded("{'model':'m','input':'x','tools':[{'type':'custom','name':'patch'}]}", events, ARRAY_LEN(events));
    CHECK(has(s, "'type':'custom_tool_call','status':'completed','call_id':'c1','name':'patch',"
                 "'input':'*** \\'A\\'\\n'}"));
    CHECK(has(s, "event: response.custom_tool_call_input.done\n"));
}

static void ends_well_whatever_comes(void) {
    const struct chat_event filtered[] = {{.kind = CHAT_BEGIN}, FINISHED(FILTER)};
    struct str s = encoded(PLAIN, filtered, ARRAY_LEN(filtered));
    CHECK(has(s, "'incomplete_details':{'reason':'content_filter'}"));
    CHECK(has(s, "'output':[]"));
    const struct chat_failure failure = {.kind = CHAT_FAIL_OVERLOADED, .status = 529, .message = STR_INIT("busy")};
    const struct chat_event failed[] = {
        {.kind = CHAT_BEGIN}, BEGIN(TEXT), DELTA("a"), {.kind = CHAT_FAIL, .failure = &failure}, {.kind = CHAT_END}};
    s = encoded(PLAIN, failed, ARRAY_LEN(failed));
    CHECK(has(s, "'error':{'code':'server_is_overloaded','message':'busy'}"));
    CHECK(has(s, "'code':'server_is_overloaded','message':'busy','param':null,'error':{'message':'busy'"));
}

// --- whole answers ---

static void whole_answers(void) {
    struct chat_reply reply = reply_to(PLAIN);
    struct buf out = BUF_INIT(1 << 20);
    struct usage usage;
    bool has_usage;
    struct err err;
    struct str body =
        j("{'id':'resp_x','object':'response','model':'o3','status':'completed','error':null,'output':["
          "{'type':'reasoning','id':'rs','summary':[{'type':'summary_text','text':'hm'}],'encrypted_content':'gA'},"
          "{'type':'message','id':'m','role':'assistant','status':'completed','content':[{'type':'output_text',"
          "'text':'Hi \\u00e4','annotations':[]}]},{'type':'function_call','call_id':'c','name':'f',"
          "'arguments':'{\\'a\\':1}'},{'type':'custom_tool_call','call_id':'d','name':'p','input':'x\\ny'}],"
          "'usage':{'input_tokens':9,'input_tokens_details':{'cached_tokens':3},'output_tokens':4,"
          "'output_tokens_details':{'reasoning_tokens':2},'total_tokens':13}}");
    REQUIRE(translate_answer(&dialect_responses, &dialect_responses, &reply, body, &g_arena, &out, &usage, &has_usage,
                             &err));
    CHECK(has_usage && usage.prompt == 9 && usage.cached == 3 && usage.output == 4 && usage.reasoning == 2);
    struct str s = buf_str(&out);
    CHECK(json_validate(s, 0, &err));
    CHECK(has(s, "'output':[{'id':'rs_0000g00000000_0','type':'reasoning','summary':[{'type':'summary_text',"
                 "'text':'hm'}],'encrypted_content':'gA'},{'id':'msg_0000g00000000_1','type':'message',"
                 "'status':'completed','role':'assistant','content':[{'type':'output_text','text':'Hi \\u00e4',"
                 "'annotations':[],'logprobs':[]}]},{'id':'fc_0000g00000000_2','type':'function_call',"
                 "'status':'completed','call_id':'c','name':'f','arguments':'{\\'a\\':1}'},"
                 "{'id':'fc_0000g00000000_3','type':'function_call','status':'completed','call_id':'d','name':'p',"
                 "'arguments':'{\\'input\\':\\'x\\\\ny\\'}'}]"));
    CHECK(has(s, "'total_tokens':13}"));
    buf_clear(&out);
    body = j("{'id':'r','status':'incomplete','incomplete_details':{'reason':'max_output_tokens'},'output':[]}");
    REQUIRE(translate_answer(&dialect_responses, &dialect_responses, &reply, body, &g_arena, &out, &usage, &has_usage,
                             &err));
    CHECK(has(buf_str(&out), "'status':'incomplete'"));
    body = j("{'id':'r','status':'failed','error':{'code':'server_error','message':'no'},'output':[]}");
    CHECK(!translate_answer(&dialect_responses, &dialect_responses, &reply, body, &g_arena, &out, &usage, &has_usage,
                            &err));
    CHECK_INT(err.code, ERR_UPSTREAM_STATUS);
    CHECK(!translate_answer(&dialect_responses, &dialect_responses, &reply, j("{'choices':[]}"), &g_arena, &out, &usage,
                            &has_usage, &err));
    CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    buf_free(&out);
}

static void tells_usage(void) {
    struct usage u = {0};
    CHECK(responses_usage_of(j("{'type':'response.completed','response':{'usage':{'input_tokens':5,'output_tokens':6,"
                               "'input_tokens_details':{'cached_tokens':50}}}}"),
                             &u));
    CHECK(u.prompt == 5 && u.cached == 5 && u.output == 6);
    CHECK(!responses_usage_of(j("{'type':'response.created','response':{'usage':null}}"), &u));
    CHECK(!responses_usage_of(j("{'type':'response.created'}"), &u) && !responses_usage_of(STR("[DONE]"), &u));
    CHECK(responses_usage_of(j("{'usage':{'output_tokens':7}}"), &u) && u.prompt == 5 && u.output == 7);
}

static void failures(void) {
    struct chat_failure f;
    struct buf out = BUF_INIT(4096);
    struct err err;
    REQUIRE(responses_read_failure(j("{'error':{'message':'no \\'way\\'','type':'t','param':null,'code':'c'}}"), 429,
                                   &g_arena, &f));
    CHECK(f.kind == CHAT_FAIL_RATE_LIMIT && f.status == 429);
    responses_put_failure(&f, STR("req_1"), &out);
    CHECK_STR(buf_str(&out), j("{'error':{'message':'no \\'way\\'','type':'t','param':null,'code':'c'}}"));
    buf_clear(&out);
    responses_put_failure_event(&f, STR("req_1"), &out);
    CHECK(str_starts(buf_str(&out), STR("event: error\ndata: {\"type\":\"error\",")));
    CHECK(responses_read_failure(j("{'error':'plain'}"), 500, &g_arena, &f) && f.kind == CHAT_FAIL_SERVER);
    CHECK(!responses_read_failure(j("{'detail':'x'}"), 500, &g_arena, &f));
    CHECK(!responses_read_failure(STR("<html>"), 500, &g_arena, &f));
    CHECK(!responses_read_failure(j("{'error':5}"), 500, &g_arena, &f));
    buf_free(&out);
    (void)err;
}

static void streams_that_are_none(void) {
    static const char *const bad[] = {"data: x\n\n", "data: {}\n\n", "data: []\n\n", "data: {\"type\":\n\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct chat_reply reply = reply_to(PLAIN);
        struct buf out = BUF_INIT(1 << 16);
        struct err err;
        CHECK(!translate(str_c(bad[i]), 1000, &reply, &out, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
        buf_free(&out);
    }
}

// --- continuations ---

static struct str known(void *arg, struct str id) {
    (void)arg;
    return str_eq(id, STR("msg_1")) ? STR("{\"found\":1}") : STR_NONE;
}

static void continues(void) {
    struct responses_ask ask;
    struct err err;
    struct str body = j("{'model':'m','input':'hello','previous_response_id':'resp_1'}"), out;
    REQUIRE(responses_ask_read(body, &g_arena, &ask, &err));
    CHECK_STR(ask.previous, STR("resp_1"));
    CHECK(ask.store && !ask.references);
    CHECK_STR(ask.input_list, j("{'type':'message','role':'user','content':[{'type':'input_text','text':'hello'}]}"));
    REQUIRE(responses_expand(body, &ask, STR("{\"a\":1}"), known, NULL, &g_arena, &out, &err));
    CHECK_STR(out, j("{'model':'m','input':[{'a':1},{'type':'message','role':'user','content':[{'type':'input_text',"
                     "'text':'hello'}]}],'previous_response_id':'resp_1'}"));
    body = j("{'model':'m','store':false,'input':[{'type':'item_reference','id':'msg_1'},"
             "{'type':'item_reference','id':'msg_2'}]}");
    REQUIRE(responses_ask_read(body, &g_arena, &ask, &err));
    CHECK(!ask.store && ask.references && ask.previous.n == 0);
    REQUIRE(responses_expand(body, &ask, STR(""), known, NULL, &g_arena, &out, &err));
    CHECK_STR(out, j("{'model':'m','store':false,'input':[{'found':1},{'type':'item_reference','id':'msg_2'}]}"));
    body = j("{'model':'m'}");
    REQUIRE(responses_ask_read(body, &g_arena, &ask, &err));
    REQUIRE(responses_expand(body, &ask, STR("{\"a\":1}"), NULL, NULL, &g_arena, &out, &err));
    CHECK_STR(out, j("{'input':[{'a':1}],'model':'m'}"));
}

static void adds_its_output(void) {
    struct str items;
    struct err err;
    REQUIRE(responses_output_items(
        j("{'output':[{'id':'rs_1','type':'reasoning','summary':[]},{'type':'reasoning','id':'rs_2','summary':[],"
          "'encrypted_content':'gA'},{'id':'msg_1','type':'message','content':[]},{'type':'function_call','id':'f'}]}"),
        &g_arena, &items, &err));
    CHECK_STR(items, j("{'type':'reasoning','summary':[],'encrypted_content':'gA'},{'type':'message','content':[]},"
                       "{'type':'function_call'}"));
    CHECK(responses_output_items(j("{'output':[]}"), &g_arena, &items, &err) && !items.n);
    CHECK_STR(responses_id_of_item(STR("msg_0000g00000000_12"), &g_arena), STR("resp_0000g00000000"));
    CHECK_STR(responses_id_of_item(STR("msg_68af"), &g_arena), STR(""));
    CHECK_STR(responses_id_of_item(STR(""), &g_arena), STR(""));
    CHECK_STR(responses_ended(STR("response.completed"), j("{'response':{'id':'x'}}")), j("{'id':'x'}"));
    CHECK(!responses_ended(STR("response.created"), j("{'response':{'id':'x'}}")).p);
}

// Whatever cannot have memory says so and does not crash.
static void without_memory(void) {
    struct str data = load("reasoning");
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct chat_reply reply = reply_to(PLAIN);
        struct arena arena;
        struct translator t;
        struct err err;
        arena_init(&arena, NULL, 0, nth * 700);
        reply.arena = &arena;
        if (translator_init(&t, &dialect_responses, &dialect_responses, &reply, 1 << 20, &g_arena, &err)) {
            bool ok = translator_feed(&t, data, true, &err);
            CHECK(ok || err.code == ERR_NO_MEMORY);
            if (nth == 1) CHECK(!ok);
        }
        translator_free(&t);
        arena_free(&arena);
    }
}

static void set_up(void) { arena_init(&g_arena, NULL, 0, SIZE_MAX); }
static void tear_down(void) { arena_free(&g_arena); }

TEST_MAIN(set_up, peeks, passes_through, reads_a_string, reads_items, reads_settings, reads_tools,
          refuses_what_is_wrong, writes, writes_for_reasoning, keeps_signatures_apart, reads_signatures_of_calls,
          streams_text, streams_tools, streams_reasoning, streams_ends, streams_failures, repeats_what_was_asked,
          carries_signatures, calls_free_tools, ends_well_whatever_comes, whole_answers, tells_usage, failures,
          streams_that_are_none, continues, adds_its_output, without_memory, tear_down)
