// Tests of what clients and providers send in bad faith, or with bad luck, on its way from one dialect to another.
#include "way_rig.h"

// A member given twice, first as null, is counted as it is read.
static void test_null_before_list_is_counted_as_it_is_read(void) {
    struct asked a = ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
                         "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'document','source'"
                         ":{'type':'content','content':null,'content':[{'type':'image','source':{'type':'url','url':"
                         "'https://a'}}]}},{'type':'text','text':'hi'}]}]}");
    CHECK(!a.ok && a.err.code == ERR_INVALID_FIELD);
    asked_free(&a);
    a = ask(
        DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
        "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'document','source':{'type':"
        "'content','content':[{'type':'image','source':{'type':'url','url':'https://a'}},{'type':'text','text':'x'},"
        "{'type':'image','source':{'type':'url','url':'https://b'}}]}},{'type':'text','text':'hi'}]}]}");
    CHECK(a.ok && says(&a, "https://a") && says(&a, "https://b") && says(&a, "'hi'"));
    asked_free(&a);
}

// Base64 with a quote in it stays within its string, whoever it goes to.
static void test_base64_does_not_end_its_string(void) {
    static const struct {
        enum provider_kind kind;
        enum dialect to;
    } k_targets[] = {{PROVIDER_OPENAI, DIALECT_OPENAI},    {PROVIDER_MISTRAL, DIALECT_OPENAI},
                     {PROVIDER_OPENAI, DIALECT_RESPONSES}, {PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC},
                     {PROVIDER_GEMINI, DIALECT_GEMINI},    {PROVIDER_BEDROCK, DIALECT_BEDROCK},
                     {PROVIDER_COHERE, DIALECT_COHERE},    {PROVIDER_OLLAMA, DIALECT_OLLAMA}};
    static const char *const k_blocks[] = {
        "{'type':'image','source':{'type':'base64','media_type':'image/png','data':'iVBORw0KGgo\\'}}]}],\\'model\\':"
        "\\'other\\',\\'x\\':[{\\'y\\':[{\\'z\\':{\\'w\\':\\''}}",
        "{'type':'document','source':{'type':'base64','media_type':'application/pdf','data':'JVBERi0\\'}}]}],\\'model"
        "\\':\\'other\\',\\'x\\':[{\\'y\\':[{\\'z\\':{\\'w\\':\\''}}"};
    for (size_t i = 0; i < ARRAY_LEN(k_targets); i++) {
        for (size_t k = 0; k < ARRAY_LEN(k_blocks); k++) {
            BUF_AUTO struct buf body = BUF_INIT(ROOM);
            buf_printf(&body, "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[%s]}]}", k_blocks[k]);
            struct asked a = ask(DIALECT_ANTHROPIC, k_targets[i].kind, k_targets[i].to, "m", buf_cstr(&body));
            CHECK(!says(&a, "'other'"));
            CHECK(!member(&a, "x").p);
            asked_free(&a);
        }
    }
}

static void test_data_url_does_not_end_its_string(void) {
    struct asked a = ask(DIALECT_OPENAI, PROVIDER_OPENAI, DIALECT_RESPONSES, "gpt-4o",
                         "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url','image_url':{'url':"
                         "'data:image/png;base64,AA\\'}]}],\\'model\\':\\'other\\',\\'x\\':[{\\'y\\':[{\\'z\\':\\''}}]"
                         "}]}");
    CHECK(a.ok && !says(&a, "'other'") && !member(&a, "x").p);
    asked_free(&a);
}

// What of the tools the provider cannot be told leaves none: then there is nothing to choose from either.
static void test_no_tools_are_left_to_choose_from(void) {
    struct asked a = ask(DIALECT_RESPONSES, PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC, "claude-sonnet-4-5",
                         "{'model':'m','input':'hi','tools':[{'type':'file_search','vector_store_ids':['v']}],"
                         "'tool_choice':'required'}");
    CHECK(a.ok && !member(&a, "tools").p && !member(&a, "tool_choice").p);
    asked_free(&a);
    a = ask(DIALECT_RESPONSES, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o",
            "{'model':'m','input':'hi','tools':[{'type':'file_search'}],'tool_choice':'required'}");
    CHECK(a.ok && !member(&a, "tools").p && !member(&a, "tool_choice").p);
    asked_free(&a);
    a = ask(DIALECT_ANTHROPIC, PROVIDER_OPENAI, DIALECT_RESPONSES, "gpt-4o",
            "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'hi'}],'tools':[{'type':'bash_20250124',"
            "'name':'bash'}],'tool_choice':{'type':'any'}}");
    CHECK(a.ok && !member(&a, "tools").p && !member(&a, "tool_choice").p);
    asked_free(&a);
}

// Escapes within names of modalities are no letters of theirs.
static void test_modalities_with_escapes(void) {
    struct asked a = ask(DIALECT_OPENAI, PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-2.5-flash",
                         "{'model':'m','messages':[{'role':'user','content':'hi'}],'modalities':['text','\\u0061udio',"
                         "'a\\nb']}");
    CHECK(a.ok);
    asked_free(&a);
}

// A number may have any number of digits.
static void test_numbers_of_many_digits(void) {
    static const struct {
        enum provider_kind kind;
        enum dialect to;
        const char *model;
    } k_targets[] = {{PROVIDER_BEDROCK, DIALECT_BEDROCK, "amazon.nova-pro-v1:0"},
                     {PROVIDER_BEDROCK, DIALECT_BEDROCK, "anthropic.claude-3-5-sonnet-20240620-v1:0"},
                     {PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC, "claude-3-5-sonnet-20240620"},
                     {PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-2.5-flash"},
                     {PROVIDER_COHERE, DIALECT_COHERE, "command-a"},
                     {PROVIDER_OLLAMA, DIALECT_OLLAMA, "llama3"}};
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"top_k\":4");
    for (int i = 0; i < 9000; i++) buf_putc(&body, '0');
    buf_lit(&body, ",\"temperature\":0.5");
    for (int i = 0; i < 9000; i++) buf_putc(&body, '0');
    buf_putc(&body, '}');
    for (size_t i = 0; i < ARRAY_LEN(k_targets); i++) {
        struct asked a =
            ask_str(DIALECT_OPENAI, k_targets[i].kind, k_targets[i].to, k_targets[i].model, buf_str(&body));
        CHECK(a.ok);
        asked_free(&a);
    }
}

// A schema whose references are written out is refused before it takes long to.
static void test_schema_of_many_references_is_refused(void) {
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":"
            "\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"$defs\":{\"A\":{\"x\":\"");
    for (int i = 0; i < 1000000; i++) buf_putc(&body, 'x');
    buf_lit(&body, "\"}},\"properties\":{\"p\":{}");
    for (int i = 0; i < 15000; i++) buf_printf(&body, ",\"p%d\":{\"$ref\":\"#/$defs/A\"}", i);
    buf_lit(&body, "}}}}}");
    struct asked a = ask_str(DIALECT_OPENAI, PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-1.5-pro", buf_str(&body));
    CHECK(!a.ok && a.err.code == ERR_INVALID_FIELD);
    asked_free(&a);
}

// As many names as are looked for, in as many properties.
static void test_schema_of_many_required_names_is_refused(void) {
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body,
            "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":"
            "\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{\"properties\":{\"p\":{\"type\":\"string\"}");
    for (int i = 0; i < 15000; i++) buf_printf(&body, ",\"property%d\":{\"type\":\"string\"}", i);
    buf_lit(&body, "},\"required\":[\"none\"");
    for (int i = 0; i < 4000; i++) buf_lit(&body, ",\"none\"");
    buf_lit(&body, "]}}}}");
    struct asked a = ask_str(DIALECT_OPENAI, PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-1.5-pro", buf_str(&body));
    CHECK(!a.ok && a.err.code == ERR_INVALID_FIELD);
    asked_free(&a);
}

// Tools and a choice among as many: each is looked for among the others.
static void test_choice_among_very_many_tools_is_refused(void) {
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body, "{\"model\":\"m\",\"input\":\"hi\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}");
    for (int i = 0; i < 20000; i++) buf_printf(&body, ",{\"type\":\"function\",\"name\":\"function%d\"}", i);
    buf_lit(&body, "],\"tool_choice\":{\"type\":\"allowed_tools\",\"tools\":[{\"name\":\"none\"}");
    for (int i = 0; i < 20000; i++) buf_lit(&body, ",{\"name\":\"function0123\"}");
    buf_lit(&body, "]}}");
    struct asked a = ask_str(DIALECT_RESPONSES, PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o", buf_str(&body));
    CHECK(!a.ok && a.err.code == ERR_INVALID_FIELD);
    CHECK_STR(str_c(a.err.param), STR("tool_choice.tools"));
    asked_free(&a);
}

// All that a vendor refuses is taken out of what is passed through, however much it is.
static void test_all_that_is_refused_is_taken_out(void) {
    static const char *const k_refused[] = {
        "user",         "top_k", "seed",      "logit_bias", "logprobs",         "top_logprobs",
        "service_tier", "store", "verbosity", "modalities", "prompt_cache_key", "safety_identifier"};
    struct asked a = {.out = BUF_INIT(ROOM)};
    struct str slices[JSON_EDIT_SLICES_MAX], raw;
    struct model_request request;
    size_t n;
    arena_init(&a.arena, NULL, 0, ROOM);
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body,
            "{\"model\":\"m\",\"strict\":false,\"stream\":true,\"stream_options\":{},\"max_completion_tokens\":9");
    for (size_t i = 0; i < ARRAY_LEN(k_refused); i++) buf_printf(&body, ",\"%s\":7", k_refused[i]);
    buf_lit(&body, ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    struct model_request_in in = {.operation = OPERATION_CHAT, .depth = 64, .body = buf_str(&body)};
    const struct chat_target target = {
        .model = STR_INIT("other"), .traits = provider_traits_get(PROVIDER_MISTRAL), .report = &a.report};
    REQUIRE(dialect_get(DIALECT_OPENAI)->peek(&in, &a.arena, &request, &a.err));
    REQUIRE(dialect_get(DIALECT_OPENAI)->rewrite(&request, &target, &a.arena, slices, &n, &a.err));
    for (size_t i = 0; i < n; i++) buf_put(&a.out, slices[i]);
    CHECK(json_validate(buf_str(&a.out), 0, &a.err));
    CHECK_STR(member(&a, "model"), STR("\"other\""));
    CHECK_INT(a.report.count, ARRAY_LEN(k_refused));
    for (size_t i = 0; i < ARRAY_LEN(k_refused); i++) {
        const struct str name = str_c(k_refused[i]);
        CHECK(!json_get(buf_str(&a.out), &name, 1, &raw));
    }
    asked_free(&a);
}

// An id that is cut at the mark of a signature stays a string, also with a quote behind the mark.
static void test_id_cut_at_its_mark_stays_a_string(void) {
    struct arena arena;
    struct model_request request;
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct chat_report report = {.count = 0};
    const struct dialect_ops *openai = dialect_get(DIALECT_OPENAI);
    const struct chat_target target = {
        .model = STR_INIT("m"), .traits = provider_traits_get(PROVIDER_OPENAI), .report = &report};
    BUF_AUTO struct buf out = BUF_INIT(ROOM);
    struct err err;
    size_t n;
    arena_init(&arena, NULL, 0, ROOM);
    struct model_request_in in = {
        .operation = OPERATION_CHAT,
        .depth = 64,
        .body = quotes(&arena, "{'model':'m','messages':[{'role':'tool','tool_call_id':'call_1__thought__a\\'b\\\\',"
                               "'content':'x'},{'role':'user','content':'hi'}]}")};
    REQUIRE(openai->peek(&in, &arena, &request, &err));
    REQUIRE(openai->rewrite(&request, &target, &arena, slices, &n, &err));
    for (size_t i = 0; i < n; i++) buf_put(&out, slices[i]);
    CHECK_STR(buf_str(&out), quotes(&arena, "{'model':'m','messages':[{'role':'tool','tool_call_id':'call_1',"
                                            "'content':'x'},{'role':'user','content':'hi'}]}"));
    arena_free(&arena);
}

// A name that is a step in a path leads nowhere else.
static void test_model_names_are_no_steps_in_a_path(void) {
    static const struct provider_preset preset = {.name = STR_INIT("p")};
    static const struct {
        enum provider_kind kind;
        enum dialect dialect;
        const char *model;
        const char *want; // NULL: refused
    } k_cases[] = {
        {PROVIDER_BEDROCK, DIALECT_BEDROCK, "..", NULL},
        {PROVIDER_BEDROCK, DIALECT_BEDROCK, ".", NULL},
        {PROVIDER_BEDROCK, DIALECT_BEDROCK, "a/../b:0?x#y", "/model/a%2F..%2Fb%3A0%3Fx%23y/converse"},
        {PROVIDER_GEMINI, DIALECT_GEMINI, "a/b:c?d#e\r\nf", "/models/a%2Fb%3Ac%3Fd%23e%0D%0Af:generateContent"},
        {PROVIDER_AZURE, DIALECT_OPENAI, "..", NULL},
        {PROVIDER_AZURE, DIALECT_OPENAI, "a/b?c", "/openai/deployments/a%2Fb%3Fc/chat/completions?api-version=v"},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_cases); i++) {
        struct arena arena;
        struct err err;
        struct str target;
        const struct conf_provider provider = {
            .name = STR_INIT("p"), .kind = (int)k_cases[i].kind, .preset = &preset, .api_version = STR_INIT("v")};
        const struct provider_call call = {.provider = &provider,
                                           .dialect = k_cases[i].dialect,
                                           .operation = OPERATION_CHAT,
                                           .model = str_c(k_cases[i].model)};
        arena_init(&arena, NULL, 0, ROOM);
        bool ok = provider_target(&call, &arena, &target, &err);
        CHECK(ok == (k_cases[i].want != NULL));
        if (ok && k_cases[i].want) CHECK_STR(target, str_c(k_cases[i].want));
        if (!ok) CHECK_INT(err.code, ERR_INVALID_FIELD);
        arena_free(&arena);
    }
}

// --- memory ---

static const char *const k_rich[] = {
    [DIALECT_OPENAI] =
        "{'model':'m','max_tokens':5000,'thinking':{'type':'enabled','budget_tokens':2000},'messages':[{'role':'system'"
        ","
        "'content':'s\\n'},{'role':'user','content':[{'type':'text','text':'u'},{'type':'image_url','image_url':{'url':"
        "'data:image/png;base64,iVBORw0KGgo\\u003d','detail':'low'}}]},{'role':'assistant','content':'v "
        "','tool_calls':[{'id':"
        "'a.b__thought__QUJD','type':'function','function':{'name':'f.g','arguments':'{\\'x\\':\\n1}'}},{'id':'c','"
        "type':"
        "'function','function':{'name':'h','arguments':'{'}}]},{'role':'tool','tool_call_id':'a.b__thought__QUJD','"
        "content':'r'},"
        "{'role':'tool','tool_call_id':'c','content':'{\\'k\\':1}'}],'tools':[{'type':'function','function':{'name':'f."
        "g',"
        "'description':'d','parameters':{'properties':{'p\\n':{'type':'string','minLength':1}}},'strict':true}},{'type'"
        ":"
        "'own\\u0061'}],'response_format':{'type':'json_schema','json_schema':{'name':'n','schema':{'type':'object',"
        "'properties':{'q\\t':{'$ref':'#/properties/"
        "z'},'z':{'type':'integer'}}}}},'stop':['x','y'],'modalities':['text',"
        "'audio'],'own\\u0062':1,'n':2}",
    [DIALECT_ANTHROPIC] = "{'model':'m','max_tokens':5000,'system':[{'type':'text','text':'s','cache_control':{'type':'"
                          "ephemeral'}}],'messages'"
                          ":[{'role':'user','content':[{'type':'document','title':'t\\t','source':{'type':'content','"
                          "content':[{'type':'text',"
                          "'text':'x'},{'type':'image','source':{'type':'base64','media_type':'image\\/"
                          "png','data':'iVBORw0KGgo='}}]}},{'type':"
                          "'search_result','source':'a','title':'b','content':[{'type':'text','text':'c'}]}]},{'role':'"
                          "assistant','content':[{"
                          "'type':'thinking','thinking':'t','signature':'s'},{'type':'tool_use','id':'a.b','name':'f','"
                          "input':{'x':\n1}}]},{"
                          "'role':'user','content':[{'type':'tool_result','tool_use_id':'a.b','content':[{'type':'text'"
                          ",'text':'r'},{'type':"
                          "'text','text':'q'}]}]}],'tools':[{'name':'f','input_schema':{'type':'object'}},{'type':'"
                          "bash_20250124','name':'bash'"
                          "}],'stop_sequences':['x'],'own\\u0062':1}",
    [DIALECT_GEMINI] = "{'system_instruction':{'parts':[{'text':'s'}]},'contents':[{'role':'user','parts':[{'text':'u'}"
                       ",{'inlineData':{"
                       "'mimeType':'image\\/"
                       "png','data':'iVBORw0KGgo_'}}]},{'role':'model','parts':[{'thought':true,'text':'a'},{'thought':"
                       "true,'text':'b','thoughtSignature':'QUJD'},{'functionCall':{'name':'f','args':{'x':1}}}]},{'"
                       "role':'user','parts':[{"
                       "'functionResponse':{'name':'f','response':{'result':{'k':1}}}}]}],'tools':[{'"
                       "functionDeclarations':[{'name':'f',"
                       "'parameters':{'type':'OBJECT','properties':{'p\\n':{'type':'STRING','nullable':true}}}}]},{'"
                       "googleSearch':{}}],"
                       "'generationConfig':{'stopSequences':['x'],'responseModalities':['TEXT'],'candidateCount':2}}",
    [DIALECT_RESPONSES] =
        "{'model':'m','instructions':'s','input':[{'role':'user','content':[{'type':'input_text','text':'u'},{'type':"
        "'input_image','image_url':'data:image/"
        "png;base64,iVBORw0KGgo\\u003d'}]},{'type':'reasoning','summary':[{'text':'t'}],"
        "'encrypted_content':'e'},{'type':'function_call','call_id':'a.b','name':'f','arguments':'{\\'x\\':\\n1}'},{'"
        "type':"
        "'function_call_output','call_id':'a.b','output':[{'type':'input_text','text':'r'}]},{'type':'custom_tool_call'"
        ","
        "'call_id':'c','name':'g','input':'i'},{'type':'custom_tool_call_output','call_id':'c','output':'o'}],'tools':["
        "{'type'"
        ":'function','name':'f','parameters':{}},{'type':'custom','name':'g'}],'include':['x']}",
};

static struct asked ask_within(enum dialect from, enum provider_kind kind, enum dialect to, const char *model,
                               struct str body, size_t most) {
    struct asked a = {.out = BUF_INIT(ROOM)};
    arena_init(&a.arena, NULL, 64, most);
    a.ok = write_as(from, body, kind, to, model, &a);
    return a;
}

// Memory may end anywhere: then there is no request, and never another than was asked for.
static void test_memory_that_ends_while_a_request_is_written(void) {
    static const struct {
        enum provider_kind kind;
        enum dialect to;
        const char *model;
    } k_targets[] = {{PROVIDER_OPENAI, DIALECT_OPENAI, "gpt-4o"},
                     {PROVIDER_OPENAI, DIALECT_RESPONSES, "gpt-4o"},
                     {PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC, "claude-sonnet-4-5"},
                     {PROVIDER_ANTHROPIC, DIALECT_ANTHROPIC, "claude-3-haiku-20240307"},
                     {PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-3-pro"},
                     {PROVIDER_GEMINI, DIALECT_GEMINI, "gemini-1.5-pro"},
                     {PROVIDER_BEDROCK, DIALECT_BEDROCK, "anthropic.claude-3-5-sonnet-20240620-v1:0"},
                     {PROVIDER_COHERE, DIALECT_COHERE, "command-a"},
                     {PROVIDER_OLLAMA, DIALECT_OLLAMA, "llama3"}};
    struct arena arena;
    arena_init(&arena, NULL, 0, ROOM);
    for (size_t i = 0; i < ARRAY_LEN(k_targets) * ARRAY_LEN(k_rich); i++) {
        enum dialect from = (enum dialect)(i % ARRAY_LEN(k_rich)), to = k_targets[i / ARRAY_LEN(k_rich)].to;
        enum provider_kind kind = k_targets[i / ARRAY_LEN(k_rich)].kind;
        const char *model = k_targets[i / ARRAY_LEN(k_rich)].model;
        if (!k_rich[from]) continue;
        struct str body = quotes(&arena, k_rich[from]);
        struct asked whole = ask_within(from, kind, to, model, body, ROOM);
        if (!whole.ok) fprintf(stderr, "%d to %s: %s\n", (int)from, model, whole.err.message);
        CHECK(whole.ok);
        for (size_t most = 0; most < 40000; most += 96) {
            struct asked a = ask_within(from, kind, to, model, body, most);
            bool good = !a.ok || (str_eq(buf_str(&a.out), buf_str(&whole.out)) && a.report.count == whole.report.count);
            if (!good) fprintf(stderr, "%d to %s within %zu: %.*s\n", (int)from, model, most, STR_ARG(buf_str(&a.out)));
            CHECK(good);
            asked_free(&a);
        }
        asked_free(&whole);
    }
    arena_free(&arena);
}

// --- answers ---

static const enum dialect k_clients[] = {DIALECT_OPENAI,    DIALECT_ANTHROPIC, DIALECT_GEMINI,
                                         DIALECT_RESPONSES, DIALECT_OLLAMA,    DIALECT_COMPLETIONS};

// White space between the values of a request does not get into the lines of its answer.
static void test_line_ends_of_a_request_stay_out_of_its_answer(void) {
    struct told t;
    told_init(
        &t, DIALECT_RESPONSES,
        "{'model':'m','input':'hi','stream':true,\n 'metadata':{\n'a':'b'\r\n},\n'tools':[\n{'type':'function',\r\n"
        "'name':'f',\n'parameters':{}}],'reasoning':{\n}}");
    struct str text = quotes(&t.arena, "data: {'id':'c','choices':[{'index':0,'delta':{'content':'x'}}]}\n\n"
                                       "data: [DONE]\n\n");
    tell(&t, DIALECT_OPENAI, DIALECT_RESPONSES, text, ROOM);
    CHECK(t.ok && has(&t, "response.completed") && has(&t, "'name':'f'"));
    told_free(&t);
}

// Nor do those of a provider's citations.
static void test_line_ends_of_citations_stay_out_of_events(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_clients); i++) {
        struct told t;
        struct translator tr;
        struct err err;
        told_init(&t, k_clients[i], "{}");
        struct str body = quotes(
            &t.arena, "{'id':'m','type':'message','role':'assistant','content':[{'type':'text','text':'x','citations':["
                      "{\n'type':'char_location',\r\n'cited_text':'a\\nb',\r'document_index':0}]}],'stop_reason':"
                      "'end_turn','usage':{'input_tokens':1,'output_tokens':1}}");
        REQUIRE(translator_init(&tr, dialect_get(DIALECT_ANTHROPIC), dialect_get(k_clients[i]), &t.reply, ROOM,
                                &t.arena, &err));
        CHECK(translator_feed_answer(&tr, body, &t.arena, &err));
        buf_put(&t.out, buf_str(&tr.out));
        translator_free(&tr);
        check_events(&t, dialect_get(k_clients[i]));
        CHECK(str_find_char(buf_str(&t.out), '\r') == t.out.n || k_clients[i] == DIALECT_GEMINI);
        told_free(&t);
    }
}

// Sound with an id.
static void test_sound_is_told_as_json(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_clients); i++) {
        struct told t;
        told_init(&t, k_clients[i], "{}");
        struct str text =
            quotes(&t.arena, "data: {'id':'c','choices':[{'index':0,'delta':{'audio':{'id':'audio_1','data':"
                             "'AAAA'}}}]}\n\ndata: {'id':'c','choices':[{'index':0,'delta':{'audio':{'data':"
                             "'BBBB','transcript':'hello'}},'finish_reason':'stop'}]}\n\ndata: [DONE]\n\n");
        tell(&t, DIALECT_OPENAI, k_clients[i], text, ROOM);
        CHECK(t.ok);
        if (k_clients[i] == DIALECT_OPENAI) CHECK(has(&t, "'audio':{'id':'audio_1'}"));
        told_free(&t);
    }
}

// A signature that is none does not end the string of the id that carries it.
static void test_signature_in_an_id_stays_in_its_string(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_clients); i++) {
        struct told t;
        told_init(&t, k_clients[i], "{}");
        struct str text =
            quotes(&t.arena, "data: {'candidates':[{'content':{'parts':[{'functionCall':{'name':'f','args':{}},"
                             "'thoughtSignature':'a\\'},\\n\\'x\\':\\'y'}]},'finishReason':'STOP'}]}\n\n");
        tell(&t, DIALECT_GEMINI, k_clients[i], text, ROOM);
        CHECK(t.ok);
        told_free(&t);
    }
}

// Many calls without ids in one piece of a stream: each gets one of its own, soon.
static void test_many_calls_without_ids_in_one_event(void) {
    struct told t;
    told_init(&t, DIALECT_OLLAMA, "{}");
    BUF_AUTO struct buf text = BUF_INIT(ROOM);
    buf_lit(&text, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}");
    for (int i = 0; i < 30000; i++) buf_lit(&text, ",{\"functionCall\":{\"name\":\"f\",\"args\":{}}}");
    buf_lit(&text, "]},\"finishReason\":\"STOP\"}]}\n\n");
    tell(&t, DIALECT_GEMINI, DIALECT_OLLAMA, buf_str(&text), ROOM);
    CHECK(t.ok && has(&t, "1'") && has(&t, "29999'"));
    told_free(&t);
}

// As many citations as a provider likes cost as much memory as they are long, not its square.
static void test_many_citations(void) {
    for (size_t i = 0; i < ARRAY_LEN(k_clients); i++) {
        struct told t;
        struct usage usage;
        struct err err;
        bool has_usage;
        told_init(&t, k_clients[i], "{}");
        BUF_AUTO struct buf body = BUF_INIT(ROOM);
        buf_lit(&body, "{\"id\":\"m\",\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"");
        for (int k = 0; k < 100000; k++) buf_putc(&body, 'x');
        buf_lit(&body, "\",\"citations\":[{\"url\":\"https://a\",\"title\":\"t\"}");
        for (int k = 0; k < 20000; k++) buf_lit(&body, ",{\"url\":\"https://a\",\"title\":\"t\"}");
        buf_lit(&body, "]}],\"stop_reason\":\"end_turn\"}");
        bool ok = translate_answer(dialect_get(DIALECT_ANTHROPIC), dialect_get(k_clients[i]), &t.reply, buf_str(&body),
                                   &t.arena, &t.out, &usage, &has_usage, &err);
        CHECK(ok && json_validate(buf_str(&t.out), 0, &err));
        told_free(&t);
    }
}

// Two answers that call at the same time keep their calls apart.
static void test_choices_that_take_turns_keep_their_calls(void) {
    struct told t;
    told_init(&t, DIALECT_GEMINI, "{}");
    struct str text = quotes(
        &t.arena,
        "data: {'id':'c','choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'fa',"
        "'arguments':'{\\'x'}}]}}]}\n\n"
        "data: {'id':'c','choices':[{'index':1,'delta':{'tool_calls':[{'index':0,'id':'b','function':{'name':'fb',"
        "'arguments':'{\\'y'}}]}}]}\n\n"
        "data: "
        "{'id':'c','choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'function':{'arguments':'\\':1}'}}]}}]}"
        "\n\n"
        "data: "
        "{'id':'c','choices':[{'index':1,'delta':{'tool_calls':[{'index':0,'function':{'arguments':'\\':2}'}}]}}]}"
        "\n\n"
        "data: {'id':'c','choices':[{'index':0,'delta':{},'finish_reason':'tool_calls'},{'index':1,'delta':{},"
        "'finish_reason':'tool_calls'}]}\n\ndata: [DONE]\n\n");
    tell(&t, DIALECT_OPENAI, DIALECT_GEMINI, text, ROOM);
    CHECK(t.ok);
    CHECK(has(&t, "{'functionCall':{'id':'a','name':'fa','args':{'x':1}}"));
    CHECK(has(&t, "{'functionCall':{'id':'b','name':'fb','args':{'y':2}}"));
    told_free(&t);
}

// A picture that another answer breaks into is still JSON.
static void test_choices_that_take_turns_with_pictures(void) {
    struct told t;
    told_init(&t, DIALECT_GEMINI, "{}");
    struct str text = quotes(
        &t.arena, "data: {'id':'c','choices':[{'index':0,'delta':{'audio':{'data':'AAAA'}}}]}\n\n"
                  "data: {'id':'c','choices':[{'index':1,'delta':{'content':'x'}}]}\n\n"
                  "data: {'id':'c','choices':[{'index':0,'delta':{'audio':{'data':'BBBB'}}}]}\n\ndata: [DONE]\n\n");
    tell(&t, DIALECT_OPENAI, DIALECT_GEMINI, text, ROOM);
    CHECK(t.ok && has(&t, "'AAAA") && has(&t, "'text':'x'"));
    told_free(&t);
}

// More calls at once than anybody makes end the answer, soon.
static void test_calls_that_never_end(void) {
    struct told t;
    told_init(&t, DIALECT_OPENAI, "{}");
    BUF_AUTO struct buf text = BUF_INIT(ROOM);
    for (int i = 0; i < 30000; i++)
        buf_printf(&text,
                   "data: {\"type\":\"response.output_item.added\",\"output_index\":%d,\"item\":{\"type\":"
                   "\"function_call\",\"call_id\":\"c%d\",\"name\":\"f\"}}\n\n",
                   i, i);
    buf_lit(&text, "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n");
    tell(&t, DIALECT_RESPONSES, DIALECT_OPENAI, buf_str(&text), ROOM);
    CHECK(t.failed);
    told_free(&t);
}

// What waits is counted for all answers together, whichever of them is told first.
static void test_what_waits_is_counted_for_all_choices(void) {
    struct told t;
    told_init(&t, DIALECT_OPENAI, "{}");
    BUF_AUTO struct buf text = BUF_INIT(ROOM);
    static char filler[3001];
    memset(filler, 'x', sizeof filler - 1);
    // Answer 0 holds back more and more calls; answer 1 begins and ends calls that had to wait.
    buf_lit(&text,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
            "\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n");
    for (int i = 0; i < 20; i++) {
        buf_printf(
            &text,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"b%d\",\"function\":"
            "{\"name\":\"f\",\"arguments\":\"%s\"}}]}}]}\n\n",
            i + 1, i, filler);
        buf_printf(
            &text,
            "data: {\"choices\":[{\"index\":1,\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"c%d\",\"function\":"
            "{\"name\":\"f\",\"arguments\":\"{\"}},{\"index\":%d,\"id\":\"d%d\",\"function\":{\"name\":\"f\","
            "\"arguments\":\"{}\"}},{\"index\":%d,\"function\":{\"arguments\":\"}\"}}]}}]}\n\n",
            2 * i, i, 2 * i + 1, i, 2 * i);
    }
    buf_lit(&text, "data: [DONE]\n\n");
    tell(&t, DIALECT_OPENAI, DIALECT_OPENAI, buf_str(&text), 20000);
    CHECK(t.failed);
    told_free(&t);
}

// One answer of several with a long call as an object costs as much memory as it is long, not its square.
static void test_long_calls_of_several_choices(void) {
    struct told t;
    struct usage usage;
    struct err err;
    bool has_usage;
    told_init(&t, DIALECT_OPENAI, "{}");
    BUF_AUTO struct buf body = BUF_INIT(ROOM);
    buf_lit(&body,
            "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"}},{\"index\":1,\"message\":{\"tool_calls\":[{"
            "\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":\"b\"");
    for (int i = 0; i < 10000; i++) buf_printf(&body, ",\"a%d\":\"b\"", i);
    buf_lit(&body, "}}}]}}]}");
    bool ok = translate_answer(dialect_get(DIALECT_OPENAI), dialect_get(DIALECT_OPENAI), &t.reply, buf_str(&body),
                               &t.arena, &t.out, &usage, &has_usage, &err);
    CHECK(ok && json_validate(buf_str(&t.out), 0, &err) && has(&t, "\\'a9999\\':\\'b\\'}"));
    told_free(&t);
}

// A count that is written with a point is one too.
static void test_counts_written_with_a_point(void) {
    static const struct {
        enum dialect from;
        const char *text;
    } k_streams[] = {
        {DIALECT_OPENAI,
         "data: {'choices':[],'usage':{'prompt_tokens':12.0,'completion_tokens':3e0,'total_tokens':15.0}}"
         "\n\n"},
        {DIALECT_ANTHROPIC, "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{'input_tokens':"
                            "12.0,'output_tokens':3.0}}\n\n"},
        {DIALECT_GEMINI, "data: {'usageMetadata':{'promptTokenCount':12.0,'candidatesTokenCount':3.0}}\n\n"},
        {DIALECT_OLLAMA, "{'done':true,'prompt_eval_count':12.0,'eval_count':3.0}\n"},
        {DIALECT_RESPONSES, "data: {'type':'response.completed','response':{'usage':{'input_tokens':12.0,"
                            "'output_tokens':3.0}}}\n\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(k_streams); i++) {
        struct told t;
        told_init(&t, DIALECT_OPENAI, "{}");
        tell(&t, k_streams[i].from, DIALECT_OPENAI, quotes(&t.arena, k_streams[i].text), ROOM);
        CHECK_INT(t.usage.prompt, 12);
        CHECK_INT(t.usage.output, 3);
        told_free(&t);
    }
}

// Counts of a provider that lies are bounded and add up.
static void test_counts_that_lie(void) {
    static const char *const k_usages[] = {
        "{'prompt_tokens':18446744073709551615,'completion_tokens':18446744073709551615,'total_tokens':1}",
        "{'prompt_tokens':-1,'completion_tokens':-5,'total_tokens':-6}",
        "{'prompt_tokens':1e400,'completion_tokens':1e30}",
        "{'prompt_tokens':1,'completion_tokens':1,'prompt_tokens_details':{'cached_tokens':99}}",
        "{'completion_tokens':1,'completion_tokens_details':{'reasoning_tokens':99,'audio_tokens':99}}",
        "{'prompt_tokens':null,'completion_tokens':'7','total_tokens':{}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(k_usages); i++) {
        struct told t;
        told_init(&t, DIALECT_ANTHROPIC, "{}");
        BUF_AUTO struct buf text = BUF_INIT(ROOM);
        buf_printf(&text, "data: {'choices':[],'usage':%s}\n\ndata: [DONE]\n\n", k_usages[i]);
        tell(&t, DIALECT_OPENAI, DIALECT_ANTHROPIC, quotes(&t.arena, buf_cstr(&text)), ROOM);
        const struct usage *u = &t.usage;
        CHECK(u->prompt <= (uint64_t)1 << 40 && u->output <= (uint64_t)1 << 41);
        CHECK(u->cached + u->cache_write <= u->prompt);
        CHECK(u->reasoning + u->audio_out <= u->output);
        told_free(&t);
    }
}

TEST_MAIN(test_memory_that_ends_while_a_request_is_written, test_null_before_list_is_counted_as_it_is_read,
          test_base64_does_not_end_its_string, test_data_url_does_not_end_its_string,
          test_no_tools_are_left_to_choose_from, test_modalities_with_escapes, test_numbers_of_many_digits,
          test_schema_of_many_references_is_refused, test_schema_of_many_required_names_is_refused,
          test_choice_among_very_many_tools_is_refused, test_all_that_is_refused_is_taken_out,
          test_id_cut_at_its_mark_stays_a_string, test_model_names_are_no_steps_in_a_path,
          test_line_ends_of_a_request_stay_out_of_its_answer, test_line_ends_of_citations_stay_out_of_events,
          test_sound_is_told_as_json, test_many_citations, test_many_calls_without_ids_in_one_event,
          test_signature_in_an_id_stays_in_its_string, test_choices_that_take_turns_keep_their_calls,
          test_choices_that_take_turns_with_pictures, test_calls_that_never_end,
          test_what_waits_is_counted_for_all_choices, test_long_calls_of_several_choices,
          test_counts_written_with_a_point, test_counts_that_lie)
