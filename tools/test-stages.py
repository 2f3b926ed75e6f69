#!/usr/bin/env python3
"""The stages of ./test. A test is a program: exit code 0 is ok, 77 is skipped (its last line of
output says why), anything else failed. Each has a limit of time, a line here and a log under
build/test-logs. Only the standard library is used."""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test-logs"
JOBS = max(1, os.cpu_count() or 1)
SKIP = 77


class Run:
    def __init__(self, options):
        self.options = options
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.lock = threading.Lock()
        self.stage = ""

    def report(self, name, outcome, seconds, reason=""):
        with self.lock:
            if outcome == "ok":
                self.passed += 1
            elif outcome == "FAIL":
                self.failed += 1
                self.failures.append(f"{self.stage}: {name}")
            else:
                self.skipped += 1
            note = f" ({reason})" if reason else ""
            print(f"{self.stage:8} {name:48} {seconds:7.1f} s  {outcome}{note}", flush=True)

    def wanted(self, name):
        return not self.options.match or self.options.match in name

    def log_path(self, name):
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.stage}-{name}")
        return LOGS / f"{safe}.log"

    def program(self, name, argv, timeout=300, env=None, always=False, cwd=ROOT):
        """Runs one test; True if it did not fail."""
        if not always and not self.wanted(name):
            return True
        path = self.log_path(name)
        begin = time.monotonic()
        with open(path, "wb") as log:
            log.write(("$ " + " ".join(map(str, argv)) + "\n").encode())
            log.flush()
            child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True,
                                     env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
            try:
                code = child.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            except BaseException:
                stop_group(child)
                raise
            stop_group(child)  # also what it left running
        seconds = time.monotonic() - begin
        text = path.read_text(errors="replace").rstrip().splitlines()
        last = text[-1][:150] if len(text) > 1 else ""
        if code == 0:
            self.report(name, "ok", seconds)
        elif code == SKIP:
            self.report(name, "skip", seconds, last)
        elif code is None:
            self.report(name, "FAIL", seconds, f"no end after {timeout} s; {path.relative_to(ROOT)}")
        else:
            self.report(name, "FAIL", seconds, f"exit {code}: {last}; {path.relative_to(ROOT)}")
        return code in (0, SKIP)

    def programs(self, tests, jobs=JOBS):
        """tests: (name, argv, timeout, env) each; several at a time."""
        with ThreadPoolExecutor(jobs) as pool:
            return all(list(pool.map(lambda t: self.program(*t), tests)))

    def build(self, tree, extra=(), targets=(), timeout=1800, warnings_fail=True):
        """Configures and builds build/TREE from its preset; True if done without a warning."""
        launcher = []
        if shutil.which("ccache"):
            launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
        script = ('cmake --preset "$1" $2 >"$3" 2>&1 || { cat "$3"; exit 1; }\n'
                  'ninja -C "build/$1" -j "$4" $5 || exit 1')
        name = f"build {tree}"
        configure_log = LOGS / f"cmake-{tree}.log"
        done = self.program(name, ["sh", "-c", script, "sh", tree, " ".join([*launcher, *extra]), configure_log,
                                   JOBS, " ".join(targets)], timeout, always=True)
        if done and warnings_fail:
            text = self.log_path(name).read_text(errors="replace")
            found = [line for line in text.splitlines() if " warning: " in line]
            if found:
                self.report(f"{name}: warnings", "FAIL", 0, found[0][:120])
                return False
        return done


def stop_group(child):
    """Ends what a test started, by its own process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        for _ in range(20):
            try:
                child.poll()
                os.killpg(child.pid, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.05)
    child.wait()


def ctest_programs(tree):
    """(name, path) of the test programs of a build tree."""
    listing = subprocess.run(["ctest", "--test-dir", ROOT / "build" / tree, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True)
    return [(test["name"], test["command"]) for test in json.loads(listing.stdout)["tests"] if test.get("command")]


# ---- stages ---------------------------------------------------------------------------------------


def stage_house(run):
    for check in ("check-floors", "check-sizes", "check-format", "check-readme"):
        run.program(check, [ROOT / "tools" / check], 120)


def stage_build(run):
    run.build("release")


def stage_unit(run):
    run.programs([(name, command, 300, None) for name, command in ctest_programs("release")])
    run.program("docs/functions.md", [ROOT / "tools" / "check-functions"], 60)


def stage_clang(run):
    # Warnings do not depend on optimising, so the quick build finds them all.
    run.build("clang", ["-DCMAKE_BUILD_TYPE=Debug"])


def stage_asan(run):
    if run.build("asan"):
        env = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
        if not run.options.long:
            env["WEIR_TEST_FEW_SEEDS"] = "1"
        run.programs([(name, command, 600, env) for name, command in ctest_programs("asan")])
        env = {**env, "WEIR_BIN": str(ROOT / "build" / "asan" / "weir")}
        tests = [(f"{path.stem} [server]", [ROOT / "tests/sql/run_slt.py", "--mode", "tiny", path], 300, env)
                 for path in sorted((ROOT / "tests" / "sql").glob("*.slt"))]
        for name in ("test_garbage", "test_http", "test_psycopg"):
            tests.append((f"{name} [server]", [ROOT / "tests" / "clients" / f"{name}.py"], 300, env))
        run.programs(tests)


def stage_tsan(run):
    """What runs on several threads, under the thread sanitiser."""
    programs = ("col_divided", "engine_cores", "engine_threads", "state_threads", "plat_guard")
    if run.build("tsan", targets=["weir", *(f"test_{name}" for name in programs)]):
        env = {"TSAN_OPTIONS": f"halt_on_error=1:exitcode=66:suppressions={ROOT / 'tests' / 'tsan.supp'}"}
        run.programs([(name, command, 300, env) for name, command in ctest_programs("tsan")
                      if name.removeprefix("test_") in programs])
        env = {**env, "WEIR_BIN": str(ROOT / "build" / "tsan" / "weir")}
        run.programs([(f"{name} [server]", [ROOT / "tests/sql/run_slt.py", "--mode", "cores",
                                            ROOT / "tests" / "sql" / f"{name}.slt"], 300, env)
                      for name in ("aggregates", "deletes", "joins", "over", "versions", "views", "windows")])


def python_tests(folder):
    return sorted(path for path in (ROOT / "tests" / folder).glob("*.py") if not path.name.startswith("_"))


def stage_sql(run):
    files = sorted((ROOT / "tests" / "sql").glob("*.slt"))
    modes = ["default"] if run.options.quick else ["default", "tiny", "kill", "cores"]
    tests = []
    for mode in modes:
        for path in files:
            tests.append((f"{path.stem} [{mode}]", [ROOT / "tests/sql/run_slt.py", "--mode", mode, path], 300, None))
    run.programs(tests)
    oracle = sorted((ROOT / "tests" / "sql" / "oracle").glob("*.sql"))
    if oracle:
        run.program("oracle: PostgreSQL", [ROOT / "tests/sql/run_oracle.py", *oracle], 400)
    run.program("why: rows of all kinds of views", [ROOT / "tests/sql/run_why.py"], 300)
    run.program("why: lineage against brute force", [ROOT / "tests/sql/run_lineage.py", *(["--long"] if run.options.long else [])], 2400)
    run.program("oracle: functions", [ROOT / "tests/sql/run_function_oracle.py", "--missing", "--rounds", 100 if run.options.long else 16], 400)
    run.program("oracle: Nexmark", [ROOT / "tests/sql/run_nexmark.py", *(["--long"] if run.options.long else [])], 1200)
    run.program("oracle: patterns", [ROOT / "tests/sql/run_match_oracle.py", *(["--long"] if run.options.long else [])],
                1200)
    run.program("retractions: PostgreSQL", [ROOT / "tests/sql/run_retractions.py", *(["--long"] if run.options.long else [])], 1200)


def stage_differential(run):
    """Random queries against PostgreSQL, from fixed seeds."""
    program = ROOT / "tests/sql/run_differential.py"
    if run.options.long:
        run.program("20,000 random queries", [program, "--queries", 20000, "--jobs", JOBS], 7200)
        run.program("5,000 random queries of the day", [program, "--queries", 5000, "--jobs", JOBS, "--seed", "today"], 7200)
    else:
        run.program("random queries, 50 s", [program, "--queries", 20000, "--seconds", 50, "--jobs", JOBS, "--stop-after", 2],
                    400)


def stage_clients(run):
    programs = [path for path in sorted((ROOT / "tests" / "clients").iterdir()) if path.name.startswith("test_")]
    run.programs([(path.stem, [path], 240, None) for path in programs])


def stage_books(run):
    long, limit = (["--long"], 3600) if run.options.long else ([], 240)
    books = ROOT / "tests" / "books"
    tests = [(f"reconciliation with {name}", [books / "test_books.py", name, *long], limit, None) for name in ("mariadb", "postgres")]
    tests += [(path.stem, [path, *long], limit, None) for path in python_tests("books") if path.name != "test_books.py"]
    run.programs(tests)


def stage_data(run):
    long = ["--long"] if run.options.long else []
    data = ROOT.parent / "shared" / "data"
    for path in python_tests("data"):
        if path.name != "run_oracle.py":
            run.program(path.stem, [path, *long], 1200)
        elif data.is_dir():
            run.program("weir run, both sets", [path, ROOT / "build/release/weir", data], 300)
        else:
            run.report("weir run, both sets", "skip", 0, "../shared/data is not there")


def stage_sim(run):
    program = ROOT / "build" / "release" / "weir_sim"
    seeds = 10000 if run.options.long else 300
    name = f"simulation, {seeds} seeds"
    if not program.exists():
        run.report(name, "skip", 0, "there is no tests/sim yet")
        return
    kept = ROOT / "tests" / "sim" / "seeds.txt"
    run.program(name, [program, "--file", kept, "--seeds", seeds], 7200 if run.options.long else 300)


def stage_kill9(run):
    long = ["--long"] if run.options.long else []
    run.program("kill9", [ROOT / "tests/fault/kill9.py", *long], 3600 if run.options.long else 240)
    for path in python_tests("fault"):
        if path.name != "kill9.py":
            more = ["--batches", 300, "--questions", 10000] if path.stem == "as_of" and run.options.long else []
            run.program(path.stem, [path, *map(str, more)], 1500 if more else 400)


def stage_fuzz(run):
    if not run.build("fuzz", targets=fuzz_names()):
        return
    seconds = int(os.environ.get("WEIR_FUZZ_SECONDS", 240 if run.options.long else 3))  # a target
    tests = []
    for name in fuzz_names():
        corpus = LOGS / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        kept = ROOT / "tests" / "fuzz" / "corpus" / name
        argv = [ROOT / "build" / "fuzz" / name, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=20",
                "-print_final_stats=1", f"-artifact_prefix={LOGS}/{name}-", corpus]
        if kept.is_dir():
            argv.append(kept)
        tests.append((f"{name}, {seconds} s", argv, seconds + 120, None))
    run.programs(tests)


def fuzz_names():
    return sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))


def stage_bare(run):
    run.program("bare Debian 12", [ROOT / "tests/bare/bare.sh"], 5400)


STAGES = {
    "house": stage_house, "build": stage_build, "unit": stage_unit, "sql": stage_sql, "differential": stage_differential,
    "clients": stage_clients, "books": stage_books, "kill9": stage_kill9, "data": stage_data, "sim": stage_sim, "clang": stage_clang, "asan": stage_asan,
    "tsan": stage_tsan,
    "fuzz": stage_fuzz, "bare": stage_bare,
}
QUICK = ["house", "build", "unit", "sql", "clients"]
BY_NAME_ONLY = ["bare"]  # needs root and an archive of packages


def main():
    parser = argparse.ArgumentParser(prog="./test")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--match", default="")
    options = parser.parse_args()
    if options.list:
        print("\n".join(STAGES))
        return 0
    names = [name for name in STAGES if name not in BY_NAME_ONLY]
    if options.quick:
        names = QUICK
    if options.only:
        names = options.only.split(",")
        unknown = [name for name in names if name not in STAGES]
        if unknown:
            parser.error(f"no stage {unknown[0]}: there are {', '.join(STAGES)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    begin = time.monotonic()
    needs_weir = {"sql", "differential", "clients", "books", "kill9", "data", "sim", "unit"}
    if needs_weir & set(names) and "build" not in names:
        names = ["build", *names]
    try:
        for name in names:
            run.stage = name
            if name in needs_weir and not (ROOT / "build" / "release" / "build.ninja").exists():
                run.report("all of it", "skip", 0, "nothing was built")
                continue
            try:
                STAGES[name](run)
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                run.report("the stage itself", "FAIL", 0, str(error)[:150])
    except KeyboardInterrupt:
        print("interrupted")
        run.failed += 1
    for failure in run.failures:
        print(f"failed: {failure}")
    seconds = time.monotonic() - begin
    print(f"{int(seconds // 60)} min {int(seconds % 60)} s; logs in build/test-logs")
    print(f"{run.passed} passed, {run.failed} failed, {run.skipped} skipped")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
