#!/usr/bin/env python3
"""Plants small faults, one at a time, and says which of them no test notices.

    ./dev test --mutants N [ROOM] [--seed S] [--only GLOB] [--programs A,B] [--again LOG] [--seconds T] [--jobs J]

ROOM is runtime, ops, train, persist or tools; without it places are drawn from all of them. Everything happens in
build-mutants/: a copy of the tree, and one build of it without any mutant. A mutant is one line changed in one .cc
file. The changed file is compiled beside the build, and the test programs of its room and of the rooms above are
linked with it and run, one after the other, until one fails, crashes or takes five times as long as it does without a
mutant; the tests whose file shares a word with the mutant's go first. Changes that do not compile do not count, others
are drawn for them. The same seed draws the same places from the same tree; of these --again tries
those alone that survived in an earlier run, whose output LOG is.

The last line is `R of N noticed, S survived, seed X`; what survived stands above it, file and line, before and after.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import itertools
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRATCH = os.path.join(TOP, "build-mutants")
TREE = os.path.join(SCRATCH, "tree")
BUILD = os.path.join(TREE, "build-mutants")  # a name that Git passes over

# The programs that are run for a room's mutants, those that are likeliest to notice first.
PROGRAMS = {
    "runtime": ["runtime_tests", "ops_tests", "train_tests", "concurrency_tests", "persist_tests", "tools_tests"],
    "train": ["train_tests", "ops_tests", "samples_tests"],
    "ops": ["ops_tests", "train_tests", "persist_tests", "fuzz_tests", "samples_tests", "tools_tests"],
    "persist": ["persist_tests", "concurrency_tests", "fuzz_tests", "tools_tests", "samples_tests"],
    "tools": ["tools_tests"],
}

Mutant = collections.namedtuple("Mutant", "file line kind before after")


# ---- places ---------------------------------------------------------------------------------------------------------

OPERAND = r"(?<![\w.>])[A-Za-z_]\w*(?:(?:\.|->)\w+|\[\w+\]|\(\))*"


def replacements(pattern, make):
    def find(code):
        for match in re.finditer(pattern, code):
            for new in make(match):
                yield match.start(), match.end(), new
    return find


def balanced(code, opening):
    """The index behind the parenthesis that closes the one at `opening`, or None."""
    depth = 0
    for i in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return None


def conditions(code):
    for match in re.finditer(r"\bif \(", code):
        end = balanced(code, match.end() - 1)
        if end and ";" not in code[match.end():end]:
            condition = code[match.end():end - 1]
            if not re.match(r"(?:const |auto |std::)", condition):
                yield match.end(), end - 1, "false"
                yield match.end(), end - 1, "true"
    for match in re.finditer(r" (&&|\|\|) ", code):
        yield match.start(1), match.end(1), "||" if match.group(1) == "&&" else "&&"
    for match in re.finditer(r"!(?=[\w(])(?!=)", code):
        yield match.start(), match.end(), ""


def statements(pattern):
    def find(code):
        match = re.match(r"(\s*)(" + pattern + r")\s*$", code)
        if match:
            yield match.start(2), match.end(2), ";"
    return find


FLIPPED = {"<": ["<=", ">"], "<=": ["<"], ">": [">=", "<"], ">=": [">"], "==": ["!="], "!=": ["=="]}
KINDS = {
    "comparison": replacements(r"(?<= )(?:[<>]=?|[=!]=)(?= )", lambda m: FLIPPED[m.group()]),
    "off by one": replacements(
        r" [+-] 1\b(?![.\w'])|(?<![\w.'])[01](?![\w.'xX])",
        lambda m: [""] if len(m.group()) > 1 else ["1"] if m.group() == "0" else ["0", "2"]),
    "condition": conditions,
    "operands": lambda code: [
        *replacements(rf"({OPERAND}) ([-/%]) ({OPERAND})", lambda m: [f"{m[3]} {m[2]} {m[1]}"])(code),
        *replacements(r"(?<=[\w)\]] )[+*-](?= [\w(])", lambda m: ["-" if m[0] == "+" else "+"])(code),
        *replacements(r"std::(?:min|max)\b", lambda m: ["std::max" if "min" in m[0] else "std::min"])(code),
    ],
    "sync": statements(r"[^=]*\b(?:sync\w*|fsync|flush|notify_\w+)\([^;]*\);"),
    "reset": statements(r"\w[\w.\[\]>-]* = (?:0|false|true|nullptr|\{\}|-1|\w+\(\));|[\w.>-]+(?:\.|->)(?:clear|reset)\(\);"),
    "call": statements(r"\w[\w.:>\[\]-]*\([^;{}]*\);"),
    "constant": replacements(r"\b(?:true|false)\b", lambda m: ["false" if m[0] == "true" else "true"]),
}


def masked(line):
    """The line with its texts, characters and comment blanked, as long as it was."""
    line = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', lambda m: '"' + "_" * (len(m[0]) - 2) + '"', line)
    return re.sub(r"//.*", lambda m: " " * len(m[0]), line)


def is_code(code):
    """Whether a change of the line could be noticed: not where only memory or the estimated cost of work depends on it."""
    return bool(code.strip()) and not re.match(
        r"\s*(?:#|using |template|namespace|static_assert|class |struct |enum )|.*\b(?:kCost|cost|reserve)\b", code)


def mutants_of(path):
    with open(os.path.join(TREE, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        code = masked(line)
        if not is_code(code):
            continue
        for kind, find in KINDS.items():
            for begin, end, new in find(code):
                after = line[:begin] + new + line[end:]
                if after != line:
                    yield Mutant(path, number, kind, line, after)


def shown(mutant):
    return f"{mutant.file}:{mutant.line}: {mutant.kind}"


def draw(rooms, only, seed):
    """Places without end, or until there are none: a kind first, so that the rare ones come up too."""
    places = collections.defaultdict(list)
    for path in tracked():
        if path.split("/")[0] in rooms and path.endswith(".cc") and fnmatch.fnmatch(path, only):
            for mutant in mutants_of(path):
                places[mutant.kind].append(mutant)
    chance = random.Random(seed)
    used = set()
    while places:
        kind = chance.choice(sorted(places))
        mutant = places[kind].pop(chance.randrange(len(places[kind])))
        if not places[kind]:
            del places[kind]
        if (mutant.file, mutant.line) not in used:
            used.add((mutant.file, mutant.line))
            yield mutant


# ---- the copy, its build and its tests ------------------------------------------------------------------------------

def tracked():
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True)
    return sorted(listed.stdout.split("\n")[:-1])


def write_if_other(path, content):
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == content:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def copy_tree():
    wanted = [path for path in tracked() if os.path.isfile(os.path.join(TOP, path))]
    for path in wanted:
        with open(os.path.join(TOP, path), "rb") as file:
            write_if_other(os.path.join(TREE, path), file.read())
        os.chmod(os.path.join(TREE, path), os.stat(os.path.join(TOP, path)).st_mode)
    known = {os.path.join(TREE, path) for path in wanted}
    for folder, folders, names in os.walk(TREE):
        folders[:] = [name for name in folders if os.path.join(folder, name) != BUILD]
        for path in (os.path.join(folder, name) for name in names):
            if path not in known:
                os.remove(path)


def configure(options):
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        environment = dict(os.environ, CC="clang", CXX="clang++")
        if subprocess.run(["which", "ld.lld"], capture_output=True).returncode == 0:
            environment.update(CC_LD="lld", CXX_LD="lld")
        subprocess.run(["meson", "setup", BUILD, TREE, "-Dbuildtype=plain", "-Doptimization=1", "-Ddebug=false",
                        "-Dcpu=baseline", "-Dbench=false", "-Dsamples=true", "-Dgrouped=false", *options], check=True,
                       env=environment, stdout=sys.stderr)


def build(*targets):
    return subprocess.run(["nice", "ninja", "-C", BUILD, *targets], capture_output=True, text=True)


def is_sample(path):
    if not re.fullmatch(r"samples/\w+\.cc", path):
        return False
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return "int main(" in file.read()


def targets_of(program):
    """The program, and those that its tests run."""
    if program == "samples_tests":
        return ["tests/" + program] + [path[:-3] for path in tracked() if is_sample(path)]
    others = {"tools_tests": ["tools/cairn"], "persist_tests": ["tests/static_saver"]}
    return ["tests/" + program] + others.get(program, [])


def command_for(target):
    """The command, as a list, that makes this target of the build and nothing before it."""
    listed = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", "-s", target], check=True, capture_output=True,
                            text=True)
    return shlex.split(listed.stdout.strip().split("\n")[-1])


def objects():
    """The object that the build makes of each file of the tree."""
    listed = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], check=True, capture_output=True, text=True)
    found = {}
    for line in listed.stdout.split("\n"):
        target, _, rule = line.partition(": ")
        if rule == "cpp_COMPILER" and target.endswith(".cc.o") and not target.startswith("tests/"):
            # meson's name of it: the room's folder, the library, and the path with _ for /
            source = target.split(".p/")[-1].removesuffix(".o").removeprefix(".._")
            found.setdefault(source.replace("/", "_"), target)
            found.setdefault("tools_" + source, target)
    return found


def likeliest_tests(program, path):
    """The tests of the program whose file shares a word with that file's name, as Catch2 selects them; "" for none."""
    words = set(re.findall("[a-z0-9]+", os.path.basename(path)[:-3])) - {"ops", "command"}
    folder = f"tests/{program.removesuffix('_tests')}/"
    names = [os.path.basename(test)[:-3] for test in tracked() if test.startswith(folder) and test.endswith("_test.cc")]
    return ",".join(f"[#{name}]" for name in names if words & set(name.split("_")))


def run(program, where, seconds, tests=""):
    """Whether the program ended well within that time, and how long it took. It is ended with all that it started."""
    begin = time.monotonic()
    running = subprocess.Popen([program, "--abort", *(["--filenames-as-tags", tests] if tests else [])],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               cwd=where, env=dict(os.environ, CAIRN_TEST_PROGRAMS=where), start_new_session=True)
    try:
        well = running.wait(timeout=seconds) == 0
        how = "" if well else os.path.basename(program)
    except subprocess.TimeoutExpired:
        well, how = False, os.path.basename(program) + ", which does not end"
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    running.wait()
    return well, how, time.monotonic() - begin


class Lab:
    """Tries mutants, several at a time, each in a folder of its own. The build is only read."""

    def __init__(self, programs):
        self.objects = objects()
        self.links = {target: command_for(target) for program in programs for target in targets_of(program)}
        self.limits = {}

    def compile(self, mutant, where):
        """The changed file's object, or None where it does not compile."""
        with open(os.path.join(TREE, mutant.file), encoding="utf-8") as file:
            lines = file.read().split("\n")
        lines[mutant.line - 1] = mutant.after
        source = os.path.join(where, "mutant.cc")
        with open(source, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        command = command_for(self.objects[mutant.file.replace("/", "_")])
        command = [part for part in command if part != "-Werror"]
        for flag in ("-o", "-MF", "-MQ"):
            command[command.index(flag) + 1] = os.path.join(where, "mutant.o" if flag == "-o" else "mutant.d")
        command[command.index("-c") + 1] = source
        done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True)
        if done.returncode != 0 and "mutant.cc:" not in done.stderr:
            sys.exit(f"{mutant.file} does not compile, and not for the change:\n{done.stderr[-4000:]}")
        return os.path.join(where, "mutant.o") if done.returncode == 0 else None

    def link(self, target, changed, where):
        """The program with the changed object before all others: its definitions are those that count."""
        command = list(self.links[target])
        output = os.path.join(where, target)
        os.makedirs(os.path.dirname(output), exist_ok=True)
        at = command.index("-o")
        command[at + 1] = output
        command[at + 2:at + 2] = [changed, "-Wl,--allow-multiple-definition"]
        done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{target} cannot be linked:\n{done.stderr[-4000:]}")
        return output

    def noticed_by(self, mutant):
        """The program that notices it, None where none does, "" where it does not compile."""
        where = os.path.join(SCRATCH, "work", str(threading.get_ident()))
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        changed = self.compile(mutant, where)
        if changed is None:
            return ""
        for program in PROGRAMS[mutant.file.split("/")[0]]:
            path = [self.link(target, changed, where) for target in targets_of(program)][0]
            for tests in filter(None, [likeliest_tests(program, mutant.file), "*"]):
                well, how, _ = run(path, where, self.limits[program], tests)
                if not well:
                    return how
        return None


def main():
    parser = argparse.ArgumentParser(prog="./dev test --mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("room", nargs="?", choices=sorted(PROGRAMS))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10000))
    parser.add_argument("--only", default="*", help="files, as a pattern: runtime/exec/*")
    parser.add_argument("--programs", help="run these test programs alone, in this order: runtime_tests,ops_tests")
    parser.add_argument("--again", metavar="LOG", help="of the places drawn, those that survived in an earlier run")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no mutant after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="show the places and change nothing")
    parser.add_argument("-D", dest="options", action="append", default=[], help="an option for Meson")
    arguments = parser.parse_args()
    rooms = [arguments.room] if arguments.room else sorted(PROGRAMS)
    if arguments.programs:
        PROGRAMS.update((room, arguments.programs.split(",")) for room in rooms)

    copy_tree()
    places = draw(rooms, arguments.only, arguments.seed)
    if arguments.again:
        with open(arguments.again, encoding="utf-8") as file:
            survived = {line.strip() for line in file if line.endswith(": SURVIVED\n")}
        places = (mutant for mutant in places if f"{shown(mutant)}: SURVIVED" in survived)
    if arguments.list:
        for mutant in itertools.islice(places, arguments.count):
            print(f"{shown(mutant)}\n  - {mutant.before.strip()}\n  + {mutant.after.strip()}")
        return 0
    configure(["-D" + option for option in arguments.options])
    programs = sorted({program for room in rooms for program in PROGRAMS[room]})
    built = build(*(target for program in programs for target in targets_of(program)))
    if built.returncode != 0:
        sys.exit(built.stdout[-4000:])
    lab = Lab(programs)
    where = os.path.join(SCRATCH, "work")
    os.makedirs(where, exist_ok=True)
    for program in programs:
        well, how, seconds = run(os.path.join(BUILD, "tests", program), where, 1800)
        if not well:
            sys.exit(f"without any mutant {how} fails")
        lab.limits[program] = 20 + 5 * seconds * arguments.jobs

    begin, noticed, survivors, others = time.monotonic(), 0, [], 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        running = {}
        wanted = arguments.count
        while running or wanted:
            for mutant in itertools.islice(places, min(wanted, arguments.jobs - len(running))):
                if time.monotonic() - begin < arguments.seconds:
                    running[pool.submit(lab.noticed_by, mutant)] = mutant
                    wanted -= 1
            if not running:
                break
            for done in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                mutant, by = running.pop(done), done.result()
                if by == "":
                    others += 1
                    wanted += 1
                elif by is None:
                    survivors.append(mutant)
                else:
                    noticed += 1
                says = "SURVIVED" if by is None else by or "does not compile"
                print(f"{shown(mutant)}: {says}", flush=True)
    print()
    for mutant in survivors:
        print(f"{shown(mutant)}\n  - {mutant.before.strip()}\n  + {mutant.after.strip()}")
    print(f"\n{noticed} of {noticed + len(survivors)} noticed, {len(survivors)} survived, seed {arguments.seed}"
          f" ({', '.join(rooms)}; {others} more did not compile)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
