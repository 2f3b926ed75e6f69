// http_static.c - the console's files at / and /console/, and libraries of the system at /lib/.
//
// Invariant: a path is only followed if each of its parts is a plain name: no "..", nothing that
// begins with a dot, no empty part, no byte that could mean something else to a file system. Entry
// point: http_static.

#include <string.h>

#include "base/hash.h"
#include "server/http_int.h"

#define FILE_BYTES_MAX (16u << 20)
#define PATH_BYTES_MAX 512

static const char *type_of(base_str path) {
    static const struct {
        const char *suffix, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].suffix);
        if (path.n > n && memcmp(path.p + path.n - n, types[i].suffix, n) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool path_is_plain(base_str path) {
    if (path.n == 0 || path.n > PATH_BYTES_MAX) return false;
    bool at_begin = true;
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (at_begin && (c == '.' || c == '/')) return false;
        if (c < 0x20 || c == 0x7f || c == '\\') return false;
        at_begin = c == '/';
    }
    return !at_begin;
}

static base_rc read_from(http_request *request, const char *dir, base_str path, base_error *err) {
    base_buf full = {0};
    base_buf_printf(&full, "%s/%.*s", dir, BASE_STR_ARG(path));
    base_buf_clear(&request->out);
    plat *p = request->http->server->plat;
    const char *name = base_buf_cstr(&full);
    bool exists = false, is_dir = false;
    base_rc rc = p->ops->exists(p, name, &exists, &is_dir, err);
    if (rc == BASE_OK && (!exists || is_dir))
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no such file");
    if (rc == BASE_OK) rc = plat_read_file(p, name, FILE_BYTES_MAX, &request->out, err);
    base_buf_deinit(&full);
    return rc;
}

// The file of a path: *rest behind the prefix that says which directories are meant.
static base_rc read_file(http_request *request, base_str *rest, base_error *err) {
    const server_config *config = &request->http->server->config;
    base_str path = request->path;
    bool is_lib = base_str_starts(path, BASE_STR("/lib/"));
    size_t prefix = is_lib ? 5 : base_str_starts(path, BASE_STR("/console/")) ? 9 : path.n;
    *rest = (base_str){path.p + prefix, path.n - prefix};
    if (rest->n == 0 && !is_lib) *rest = BASE_STR("index.html");
    base_rc rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no such file");
    if (!path_is_plain(*rest)) return rc;
    if (!is_lib)
        return config->console_dir == NULL ? rc
                                           : read_from(request, config->console_dir, *rest, err);
    for (size_t i = 0; rc == BASE_E_NOT_FOUND && i < config->nlib_dirs; i++)
        rc = read_from(request, config->lib_dirs[i], *rest, err);
    return rc;
}

void http_static(http_request *request) {
    base_error err = {0};
    base_str rest;
    if (base_str_eq(request->path, BASE_STR("/console"))) { // so that relative links work
        http_answer(request, MHD_HTTP_MOVED_PERMANENTLY, NULL);
        http_answer_header(request, "Location", "/console/");
        return;
    }
    if (read_file(request, &rest, &err) != BASE_OK) {
        if (err.code == BASE_E_NOT_FOUND)
            base_fail(&err, BASE_E_NOT_FOUND, NULL, "there is no such file");
        http_fail(request, &err);
        return;
    }
    const char *etag =
        base_arena_printf(&request->arena, "\"%016llx\"",
                          (unsigned long long)base_hash64(request->out.p, request->out.n));
    http_answer(request, MHD_HTTP_OK, type_of(rest));
    http_answer_header(request, "ETag", etag);
    http_answer_header(request, "Cache-Control", "no-cache"); // ask again, by the tag
    if (request->if_none_match != NULL && strstr(request->if_none_match, etag) != NULL) {
        base_buf_clear(&request->out);
        request->status = MHD_HTTP_NOT_MODIFIED;
    }
}
