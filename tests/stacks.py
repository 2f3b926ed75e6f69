"""The stacks of a process's threads, to see where one hangs: by gdb if it is there, else from /proc: state, what it waits
for in the kernel and, for a thread that waits, the words of its stack that are addresses of its program's functions
(an unwinding by guess: what was called lately may be among them). The process goes on afterwards."""
import bisect
import os
import pathlib
import re
import shutil
import subprocess

GDB_SECONDS, NM_SECONDS = 20, 20
STACK_BYTES, FRAMES_MAX, TEXT_MAX = 1 << 14, 24, 20000


def of_process(pid):
    """As a text. Never raises: it stands in reports of failures."""
    try:
        text = by_gdb(pid) if shutil.which("gdb") else ""
        return (text or by_proc(pid))[:TEXT_MAX]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"no stacks of {pid}: {error}"


def by_gdb(pid):
    argv = ["gdb", "--batch", "--nx", "-p", str(pid), "-ex", "set print frame-arguments none", "-ex",
            f"thread apply all backtrace {FRAMES_MAX}"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GDB_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ""
    threads = []  # (name, stack) of each
    for line in done.stdout.splitlines():
        head, frame = re.match(r'Thread \d+ .*LWP (\d+)\)(?: "(.*)")?', line), re.match(r"#\d+ +(?:0x[0-9a-f]+ in )?(\S+)(?: .*? at (\S+)| .*)?", line)
        if head:
            threads.append((f"{head.group(2)} {head.group(1)}", []))
        elif frame and threads:
            threads[-1][1].append(frame.group(1) + (f" {pathlib.Path(frame.group(2)).name}" if frame.group(2) else ""))
    return grouped((name, " < ".join(stack)) for name, stack in threads)


def grouped(threads):
    """Threads that are at the same place in one line. threads: (name, what is said of it)"""
    names = {}
    for name, said in threads:
        names.setdefault(said, []).append(name)
    return "\n".join(f"{', '.join(n[:3])}{f' and {len(n) - 3} more' if len(n) > 3 else ''}:\n    {said}" for said, n in names.items())


def read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace").strip()
    except OSError:
        return "?"


def by_proc(pid):
    symbols, threads = Symbols(pid), []
    for task in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        at = f"/proc/{pid}/task/{task}"
        stat = read(f"{at}/stat").rpartition(")")[2].split()
        call = read(f"{at}/syscall").split()
        kernel = re.sub(r"\[<0>\] |\+\S*", "", read(f"{at}/stack")).split("\n")[:4]
        said = f"state {stat[0] if stat else '?'}, in the kernel {read(f'{at}/wchan')}, system call {call[0] if call else '?'}; {' < '.join(kernel)}"
        if len(call) >= 3 and call[-2].startswith("0x"):
            said += "\n    stack, by guess: " + " < ".join(symbols.on_stack(int(call[-2], 16), int(call[-1], 16)))
        ticks = f" ({stat[11]}+{stat[12]} ticks)" if len(stat) > 12 and stat[11:13] != ["0", "0"] else ""
        threads.append((f"{read(f'{at}/comm')} {task}{ticks}", said))
    return grouped(threads)


class Symbols:
    """Functions of the program by address."""

    def __init__(self, pid):
        self.pid = pid
        self.starts, self.names, self.ranges = [], [], []
        program = os.readlink(f"/proc/{pid}/exe")
        base = None
        for line in read(f"/proc/{pid}/maps").splitlines():
            if line.endswith(program):
                low, high = (int(part, 16) for part in line.split()[0].split("-"))
                base = low if base is None else base
                if "x" in line.split()[1]:
                    self.ranges.append((low, high))
        if not shutil.which("nm") or base is None:
            return
        listing = subprocess.run(["nm", "--defined-only", "-n", program], capture_output=True, text=True, timeout=NM_SECONDS, check=False)
        for line in listing.stdout.splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in "tTwW":
                self.starts.append(int(words[0], 16) + (base if int(words[0], 16) < base else 0))
                self.names.append(words[2])

    def name(self, address):
        if not any(low <= address < high for low, high in self.ranges):
            return None
        at = bisect.bisect_right(self.starts, address) - 1
        return f"{self.names[at]}+{address - self.starts[at]:#x}" if at >= 0 else hex(address)

    def on_stack(self, stack_pointer, program_counter):
        found = [self.name(program_counter) or "a library"]
        try:
            with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(stack_pointer)
                data = memory.read(STACK_BYTES)
        except OSError:
            return found
        for at in range(0, len(data) - 7, 8):
            name = self.name(int.from_bytes(data[at:at + 8], "little"))
            if name is not None and len(found) < FRAMES_MAX:
                found.append(name)
        return found
