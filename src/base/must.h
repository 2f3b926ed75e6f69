// must.h - assertions. must() states what only our own mistake can break, and stays on in release;
// check() is for what is too dear to test in release. Input from outside is never asserted on.
#ifndef WEIR_BASE_MUST_H
#define WEIR_BASE_MUST_H

_Noreturn void base_must_failed(const char *condition, const char *file, int line);

#define must(condition) ((condition) ? (void)0 : base_must_failed(#condition, __FILE__, __LINE__))

#ifdef WEIR_DEBUG
#define check(condition) must(condition)
#else
#define check(condition) ((void)sizeof(!(condition)))
#endif

#endif
