// match_pattern.c - PATTERN ( ... ) to the program that src/flow runs (plan/match.h). Grammar:
//   choice   = sequence { "|" sequence }
//   sequence = { factor }
//   factor   = primary [ quantifier [ "?" ] ]
//   primary  = variable | "^" | "$" | "(" [ choice ] ")" | "{-" choice "-}"
//            | PERMUTE "(" choice { "," choice } ")"
//   quantifier = "*" | "+" | "?" | "{" n "}" | "{" [ n ] "," [ m ] "}"
// A quantifier is greedy, with a "?" behind it reluctant; counts are written out. A loop whose
// round took no row would never end: ROUND sees to it. Source: ISO/IEC TR 19075-5, 4.14 (preferment
// of matches). Entry point: sql_match_compile.
#include "sql/match_int.h"

#include "base/must.h"

#define PERMUTE_MAX 6u // 720 orders
#define COUNT_MAX   1000u

typedef struct compiler {
    sql_ctx *ctx;
    sql_match_names *names;
    base_str text; // of the pattern
    size_t offset; // in the statement
    size_t at;     // of the token
    sql_token token;
    size_t next;
    uint32_t nops, nloops, depth;
    plan_match_op *ops;
} compiler;

static int32_t here(const compiler *c) {
    return sql_text_position(c->ctx, c->offset + c->at);
}

// "$" is no token of SQL, and what stands behind a "{" may look like an operator: read by bytes.
static void advance(compiler *c) {
    size_t at = c->next;
    while (at < c->text.n && strchr(" \t\r\n\f\v", c->text.p[at]) != NULL) at++;
    c->at = at;
    if (at < c->text.n && c->text.p[at] == '$') {
        c->token = (sql_token){.kind = SQL_TOKEN_SYMBOL, .text = {c->text.p + at, 1}};
        c->next = at + 1;
        return;
    }
    c->next = at;
    c->token = sql_token_next(c->text, &c->next, c->ctx->arena);
    if (c->token.kind != SQL_TOKEN_END) c->at = c->token.offset;
}

static bool is(const compiler *c, char symbol) {
    return c->token.kind == SQL_TOKEN_SYMBOL && c->token.text.p[0] == symbol;
}

static bool take(compiler *c, char symbol) {
    if (!is(c, symbol)) return false;
    advance(c);
    return true;
}

static base_rc unexpected(compiler *c) {
    if (c->token.kind == SQL_TOKEN_END)
        return SQL_SYNTAX(c->ctx, here(c), "syntax error at end of the pattern");
    return SQL_SYNTAX(c->ctx, here(c), "syntax error in the pattern at or near \"%.*s\"",
                      BASE_STR_ARG(c->token.text));
}

static base_rc expect(compiler *c, char symbol) {
    return take(c, symbol) ? BASE_OK : unexpected(c);
}

static base_rc emit(compiler *c, plan_match_op_kind kind, uint32_t a, uint32_t b) {
    if (c->nops == PLAN_MATCH_OPS_MAX)
        return sql_fail(c->ctx, here(c), BASE_E_LIMIT, "54001",
                        "the pattern is too large: counts are written out");
    c->ops[c->nops++] = (plan_match_op){kind, a, b};
    return BASE_OK;
}

// Moves ops [from, end) up by one to make room for an op before them.
static base_rc insert(compiler *c, uint32_t from, plan_match_op op) {
    SQL_TRY(emit(c, PLAN_MATCH_OP_DONE, 0, 0));
    memmove(&c->ops[from + 1], &c->ops[from], (c->nops - 1 - from) * sizeof *c->ops);
    c->ops[from] = op;
    for (uint32_t i = from + 1; i < c->nops; i++) {
        plan_match_op *o = &c->ops[i];
        if (o->kind == PLAN_MATCH_OP_JUMP || o->kind == PLAN_MATCH_OP_SPLIT) {
            o->a += o->a >= from;
            if (o->kind == PLAN_MATCH_OP_SPLIT) o->b += o->b >= from;
        }
    }
    return BASE_OK;
}

// A copy of ops [from, end) behind them.
static base_rc repeat(compiler *c, uint32_t from, uint32_t end) {
    uint32_t by = c->nops - from;
    for (uint32_t i = from; i < end; i++) {
        plan_match_op op = c->ops[i];
        if (op.kind == PLAN_MATCH_OP_JUMP || op.kind == PLAN_MATCH_OP_SPLIT) {
            op.a += by;
            if (op.kind == PLAN_MATCH_OP_SPLIT) op.b += by;
        }
        SQL_TRY(emit(c, op.kind, op.a, op.b));
    }
    return BASE_OK;
}

static base_rc compile_choice(compiler *c);

// ---- quantifiers -----------------------------------------------------------------------------

static base_rc take_count(compiler *c, uint32_t *count, bool *given) {
    *given = c->token.kind == SQL_TOKEN_NUMBER;
    *count = 0;
    if (!*given) return BASE_OK;
    for (size_t i = 0; i < c->token.text.n; i++) {
        char digit = c->token.text.p[i];
        if (digit < '0' || digit > '9') return unexpected(c);
        *count = *count * 10 + (uint32_t)(digit - '0');
        if (*count > COUNT_MAX)
            return sql_fail(c->ctx, here(c), BASE_E_LIMIT, "54001",
                            "a count in a pattern may be %u at most", COUNT_MAX);
    }
    advance(c);
    return BASE_OK;
}

// What is behind "{": least and most; most UINT32_MAX: no limit.
static base_rc take_range(compiler *c, uint32_t *least, uint32_t *most) {
    bool has_least, has_most;
    int32_t position = here(c);
    SQL_TRY(take_count(c, least, &has_least));
    if (!take(c, ',')) {
        if (!has_least) return unexpected(c);
        *most = *least;
    } else {
        SQL_TRY(take_count(c, most, &has_most));
        if (!has_most) *most = UINT32_MAX;
    }
    SQL_TRY(expect(c, '}'));
    if (*most == 0 || *most < *least)
        return sql_fail(c->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                        "the greatest count of a pattern must be at least 1 and the least one");
    return BASE_OK;
}

// [from, end) any number of times: SPLIT to behind, ENTER, body, ROUND, JUMP back.
static base_rc loop(compiler *c, uint32_t from, bool greedy) {
    uint32_t number = c->nloops++;
    SQL_TRY(insert(c, from, (plan_match_op){PLAN_MATCH_OP_ENTER, number, 0}));
    SQL_TRY(insert(c, from, (plan_match_op){PLAN_MATCH_OP_SPLIT, 0, 0}));
    SQL_TRY(emit(c, PLAN_MATCH_OP_ROUND, number, 0));
    SQL_TRY(emit(c, PLAN_MATCH_OP_JUMP, from, 0));
    c->ops[from].a = greedy ? from + 1 : c->nops;
    c->ops[from].b = greedy ? c->nops : from + 1;
    return BASE_OK;
}

static base_rc optional(compiler *c, uint32_t from, bool greedy) {
    SQL_TRY(insert(c, from, (plan_match_op){PLAN_MATCH_OP_SPLIT, 0, 0}));
    c->ops[from].a = greedy ? from + 1 : c->nops;
    c->ops[from].b = greedy ? c->nops : from + 1;
    return BASE_OK;
}

// Up to `most` times, ops [from, end) being the first: (x (x (x)?)?)?, where each way out leads
// behind the whole, so that no number of rounds can be had in two ways.
static base_rc up_to(compiler *c, uint32_t from, uint32_t most, bool greedy) {
    uint32_t size = c->nops - from, first = from + 1;
    uint32_t *splits = base_arena_array(c->ctx->arena, uint32_t, most);
    SQL_TRY(optional(c, from, greedy));
    splits[0] = from;
    for (uint32_t i = 1; i < most; i++) {
        splits[i] = c->nops;
        SQL_TRY(repeat(c, first, first + size));
        SQL_TRY(optional(c, splits[i], greedy));
        first = splits[i] + 1;
    }
    for (uint32_t i = 0; i < most; i++)
        *(greedy ? &c->ops[splits[i]].b : &c->ops[splits[i]].a) = c->nops;
    return BASE_OK;
}

// The factor that was compiled to ops [from, end) least to most times.
static base_rc quantify(compiler *c, uint32_t from, uint32_t least, uint32_t most, bool greedy) {
    uint32_t end = c->nops;
    if (least == 0 && most == UINT32_MAX) return loop(c, from, greedy);
    if (least == 0) return up_to(c, from, most, greedy);
    for (uint32_t i = 1; i < least; i++) SQL_TRY(repeat(c, from, end));
    if (most == least) return BASE_OK;
    uint32_t rest = c->nops;
    SQL_TRY(repeat(c, from, end));
    return most == UINT32_MAX ? loop(c, rest, greedy) : up_to(c, rest, most - least, greedy);
}

static base_rc take_quantifier(compiler *c, uint32_t from) {
    uint32_t least = 1, most = 1;
    if (take(c, '*')) {
        least = 0, most = UINT32_MAX;
    } else if (take(c, '+')) {
        most = UINT32_MAX;
    } else if (take(c, '?')) {
        least = 0;
    } else if (is(c, '{') && !(c->next < c->text.n && c->text.p[c->next] == '-')) {
        advance(c);
        SQL_TRY(take_range(c, &least, &most));
    } else {
        return BASE_OK;
    }
    bool greedy = !take(c, '?');
    return quantify(c, from, least, most, greedy);
}

// ---- factors ---------------------------------------------------------------------------------

// The alternatives of PERMUTE, from ops of each part: all orders, the first parts first.
typedef struct permutation {
    uint32_t n, begin[PERMUTE_MAX], end[PERMUTE_MAX];
    plan_match_op *ops;
    uint32_t base;
} permutation;

static base_rc emit_part(compiler *c, const permutation *p, uint32_t part) {
    uint32_t by = c->nops - (p->base + p->begin[part]);
    for (uint32_t i = p->begin[part]; i < p->end[part]; i++) {
        plan_match_op op = p->ops[i];
        if (op.kind == PLAN_MATCH_OP_JUMP || op.kind == PLAN_MATCH_OP_SPLIT) {
            op.a += by;
            if (op.kind == PLAN_MATCH_OP_SPLIT) op.b += by;
        }
        SQL_TRY(emit(c, op.kind, op.a, op.b));
    }
    return BASE_OK;
}

static base_rc emit_orders(compiler *c, const permutation *p, uint32_t used) {
    uint32_t left = 0, last = 0, jumps[PERMUTE_MAX], njumps = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if ((used & 1u << i) == 0) left++, last = i;
    if (left == 0) return BASE_OK;
    for (uint32_t i = 0; i < p->n; i++) {
        if ((used & 1u << i) != 0) continue;
        uint32_t split = c->nops;
        if (i != last) SQL_TRY(emit(c, PLAN_MATCH_OP_SPLIT, split + 1, 0));
        SQL_TRY(emit_part(c, p, i));
        SQL_TRY(emit_orders(c, p, used | 1u << i));
        if (i == last) break;
        jumps[njumps++] = c->nops;
        SQL_TRY(emit(c, PLAN_MATCH_OP_JUMP, 0, 0));
        c->ops[split].b = c->nops;
    }
    for (uint32_t i = 0; i < njumps; i++) c->ops[jumps[i]].a = c->nops;
    return BASE_OK;
}

static base_rc compile_permute(compiler *c) {
    permutation p = {.base = c->nops};
    SQL_TRY(expect(c, '('));
    do {
        if (p.n == PERMUTE_MAX)
            return sql_fail(c->ctx, here(c), BASE_E_LIMIT, "54001",
                            "PERMUTE takes at most %u patterns", PERMUTE_MAX);
        p.begin[p.n] = c->nops - p.base;
        SQL_TRY(compile_choice(c));
        p.end[p.n++] = c->nops - p.base;
    } while (take(c, ','));
    SQL_TRY(expect(c, ')'));
    uint32_t size = c->nops - p.base;
    p.ops = base_arena_array(c->ctx->arena, plan_match_op, size + 1);
    memcpy(p.ops, &c->ops[p.base], size * sizeof *p.ops);
    c->nops = p.base;
    return emit_orders(c, &p, 0);
}

static base_rc compile_primary(compiler *c) {
    if (take(c, '^')) return emit(c, PLAN_MATCH_OP_BEGIN, 0, 0);
    if (take(c, '$')) return emit(c, PLAN_MATCH_OP_END, 0, 0);
    if (take(c, '(')) {
        if (take(c, ')')) return BASE_OK; // the empty pattern
        SQL_TRY(compile_choice(c));
        return expect(c, ')');
    }
    if (take(c, '{')) {
        SQL_TRY(expect(c, '-'));
        SQL_TRY(emit(c, PLAN_MATCH_OP_HIDE, 0, 0));
        SQL_TRY(compile_choice(c));
        SQL_TRY(expect(c, '-'));
        SQL_TRY(expect(c, '}'));
        return emit(c, PLAN_MATCH_OP_SHOW, 0, 0);
    }
    if (c->token.kind != SQL_TOKEN_WORD && c->token.kind != SQL_TOKEN_QUOTED) return unexpected(c);
    const char *name = c->token.value;
    bool word = c->token.kind == SQL_TOKEN_WORD;
    int32_t position = here(c);
    advance(c);
    if (word && strcmp(name, "permute") == 0 && is(c, '(')) return compile_permute(c);
    uint32_t number;
    SQL_TRY(sql_match_variable(c->ctx, c->names, name, position, &number));
    return emit(c, PLAN_MATCH_OP_ROW, number, 0);
}

static bool begins_factor(const compiler *c) {
    if (c->token.kind == SQL_TOKEN_WORD || c->token.kind == SQL_TOKEN_QUOTED) return true;
    return is(c, '^') || is(c, '$') || is(c, '(') || is(c, '{');
}

static base_rc compile_sequence(compiler *c) {
    while (begins_factor(c)) {
        uint32_t from = c->nops;
        SQL_TRY(compile_primary(c));
        SQL_TRY(take_quantifier(c, from));
    }
    return BASE_OK;
}

static base_rc compile_choice(compiler *c) {
    SQL_TRY(sql_enter(c->ctx, here(c)));
    uint32_t from = c->nops;
    SQL_TRY(compile_sequence(c));
    if (take(c, '|')) { // SPLIT, this one, JUMP, the others
        SQL_TRY(insert(c, from, (plan_match_op){PLAN_MATCH_OP_SPLIT, from + 1, 0}));
        uint32_t jump = c->nops;
        SQL_TRY(emit(c, PLAN_MATCH_OP_JUMP, 0, 0));
        c->ops[from].a = from + 1;
        c->ops[from].b = c->nops;
        SQL_TRY(compile_choice(c));
        c->ops[jump].a = c->nops;
    }
    sql_leave(c->ctx);
    return BASE_OK;
}

base_rc sql_match_compile(sql_ctx *ctx, const sql_match_text *pattern, sql_match_names *names,
                          plan_match *match) {
    compiler c = {.ctx = ctx, .names = names, .text = pattern->text, .offset = pattern->offset};
    c.ops = base_arena_array(ctx->arena, plan_match_op, PLAN_MATCH_OPS_MAX);
    advance(&c);
    SQL_TRY(compile_choice(&c));
    if (c.token.kind != SQL_TOKEN_END) return unexpected(&c);
    SQL_TRY(emit(&c, PLAN_MATCH_OP_DONE, 0, 0));
    match->nops = c.nops;
    match->nloops = c.nloops;
    match->ops = c.ops;
    match->pattern = base_arena_memdup(ctx->arena, pattern->text.p, pattern->text.n);
    return BASE_OK;
}
