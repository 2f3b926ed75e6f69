// Plans and errors of tests/golden/plan/*.sql against the .out files beside them. A file is a
// script: what it creates is there for the statements after. WEIR_UPDATE_GOLDEN=1 writes the .out
// files anew.
#include <glob.h>

#include "plan/growth.h"
#include "sql_fixture.h"

static void print_error(const base_error *err, base_buf *out) {
    base_buf_printf(out, "ERROR %s", err->sqlstate);
    if (err->position > 0) base_buf_printf(out, " at %d", err->position);
    base_buf_printf(out, ": %s\n", err->message);
    if (err->detail[0] != '\0') base_buf_printf(out, "DETAIL: %s\n", err->detail);
    if (err->hint[0] != '\0') base_buf_printf(out, "HINT: %s\n", err->hint);
}

static void print_columns(uint32_t n, const plan_column *columns, base_buf *out) {
    static const char *const roles[] = {"", " event time", " window start", " window end"};
    base_buf_add_cstr(out, "columns:");
    for (uint32_t i = 0; i < n; i++) {
        if (columns[i].hidden) continue;
        base_buf_printf(out, "%s %s ", i > 0 ? "," : "", columns[i].name);
        col_type_format(&columns[i].type, out);
        base_buf_add_cstr(out, columns[i].not_null ? " not null" : "");
        base_buf_add_cstr(out, roles[columns[i].time_role]);
    }
    base_buf_add_byte(out, '\n');
}

static void print_window(const char *name, const plan_window *window, base_buf *out) {
    base_buf_printf(out, "window: %s of ", name);
    plan_span_print(&window->size, out);
    base_buf_add_byte(out, '\n');
}

static void print_object(const plan_object *object, base_buf *out) {
    const char **names = malloc((object->ncolumns + 1) * sizeof *names);
    must(names != NULL);
    for (uint32_t i = 0; i < object->ncolumns; i++) names[i] = object->columns[i].name;
    print_columns(object->ncolumns, object->columns, out);
    for (uint32_t i = 0; i < object->nkey; i++)
        base_buf_printf(out, "%s%s%s", i == 0 ? "key: " : ", ", names[object->key[i]],
                        i + 1 == object->nkey ? "\n" : "");
    for (uint32_t i = 0; i < object->nchecks; i++) {
        base_buf_printf(out, "check %s: ", object->checks[i].name);
        plan_expr_print(object->checks[i].expr, names, out);
        base_buf_add_byte(out, '\n');
    }
    if (object->watermark != NULL) {
        base_buf_printf(out, "watermark of %s: ", names[object->event_time]);
        plan_expr_print(object->watermark, names, out);
        base_buf_add_byte(out, '\n');
    }
    for (uint32_t i = 0; i < object->nview_key; i++)
        base_buf_printf(out, "%s%s%s", i == 0 ? "row key: " : ", ", names[object->view_key[i]],
                        i + 1 == object->nview_key ? "\n" : "");
    if (object->window_column >= 0)
        print_window(names[object->window_column], object->columns[object->window_column].window,
                     out);
    free(names);
}

static void note_state(void *arg, const plan_node *node, base_buf *buf) {
    plan_state_print(&((const plan_states *)arg)->by_id[node->id], buf);
}

static void print_statement(const fixture *f, base_buf *out) {
    const sql_statement *s = f->statement;
    if (s->kind == SQL_EMPTY) return;
    base_buf_printf(out, "%s\n", sql_command_tag(s));
    if (s->object != NULL) print_object(s->object, out);
    const plan_node *plan = s->object != NULL ? s->object->plan : s->plan;
    if (s->nparams > 0) {
        base_buf_add_cstr(out, "parameters:");
        for (uint32_t i = 0; i < s->nparams; i++) {
            base_buf_printf(out, "%s $%u ", i > 0 ? "," : "", i + 1);
            col_type_format(&s->params[i], out);
        }
        base_buf_add_byte(out, '\n');
    }
    if (plan == NULL) return;
    if (s->object == NULL) print_columns(plan->ncolumns, plan->columns, out);
    if (!s->state) {
        plan_node_print(plan, out);
        return;
    }
    base_arena arena;
    base_arena_init(&arena, 4096);
    plan_states states = plan_growth_of(&arena, plan);
    plan_node_print_noted(plan, note_state, &states, out);
    base_buf_printf(out, "View: %s\n", plan_growth_text(states.by_id[plan->id].rows));
    base_arena_deinit(&arena);
}

static void run_script(base_str text, base_buf *out) {
    fixture f;
    fixture_init(&f);
    size_t n;
    base_str *statements;
    if (sql_split(&f.arena, text, &n, &statements, &f.err) != BASE_OK) {
        print_error(&f.err, out);
    } else {
        for (size_t i = 0; i < n; i++) {
            base_str statement = base_str_trim(statements[i]);
            base_buf_printf(out, "%s%.*s;\n", i > 0 ? "\n" : "", BASE_STR_ARG(statement));
            if (fixture_bind(&f, statement) == BASE_OK) {
                print_statement(&f, out);
            } else {
                print_error(&f.err, out);
            }
        }
    }
    fixture_deinit(&f);
}

static bool read_file(const char *path, base_buf *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) base_buf_add(out, chunk, n);
    fclose(file);
    return true;
}

static void compare(const char *path, const base_buf *actual, const base_buf *expected) {
    if (base_str_eq(base_buf_str(actual), base_buf_str(expected))) return;
    size_t i = 0, line = 1, begin = 0;
    while (i < actual->n && i < expected->n && actual->p[i] == expected->p[i]) {
        if (actual->p[i] == '\n') {
            line++;
            begin = i + 1;
        }
        i++;
    }
    fprintf(stderr,
            "%s:%zu: differs (WEIR_UPDATE_GOLDEN=1 writes it anew)\n  is:  %.*s\n  was: %.*s\n",
            path, line, (int)strcspn(actual->n > begin ? actual->p + begin : "", "\n"),
            actual->n > begin ? actual->p + begin : "",
            (int)strcspn(expected->n > begin ? expected->p + begin : "", "\n"),
            expected->n > begin ? expected->p + begin : "");
    test_failures++;
}

TEST(plans) {
    const char *pattern = WEIR_TESTS "/golden/plan/*.sql";
    glob_t files;
    REQUIRE(glob(pattern, 0, NULL, &files) == 0);
    EXPECT(files.gl_pathc > 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        base_buf text = {0}, actual = {0}, expected = {0};
        char path[1100];
        snprintf(path, sizeof path, "%.*s.out", (int)strlen(files.gl_pathv[i]) - 4,
                 files.gl_pathv[i]);
        EXPECT(read_file(files.gl_pathv[i], &text));
        run_script(base_buf_str(&text), &actual);
        if (getenv("WEIR_UPDATE_GOLDEN") != NULL) {
            FILE *file = fopen(path, "wb");
            EXPECT(file != NULL && fwrite(actual.p, 1, actual.n, file) == actual.n);
            if (file != NULL) fclose(file);
        } else {
            EXPECT(read_file(path, &expected));
            base_buf_cstr(&actual);
            base_buf_cstr(&expected);
            compare(path, &actual, &expected);
        }
        base_buf_deinit(&text);
        base_buf_deinit(&actual);
        base_buf_deinit(&expected);
    }
    globfree(&files);
}

TEST_MAIN(TEST_ENTRY(plans))
