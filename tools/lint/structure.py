"""Checks the structure of the Rust code.

Files must not import each other in a circle, top-level type names must be unique in the workspace,
and files must stay short. Prints each problem and exits with 1 if there are any.

The check reads text, not syntax trees. It understands `use` declarations, paths that start with
`crate`, `self` or `super`, and paths that start at an imported module or a child module. Test code
is exempt from every rule but the one about names.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The source directories of the crates. A module path is unique within one of them.
CRATES = ("src", "native/src", "tools/cli/src", "tools/emulator/src", "tests/filter/src")
# Where type names are looked for, test code included.
RUST_CODE = ("src", "native", "tools", "tests", "fuzz")
# Lines of code, that is without blank lines, comments and tests.
FILE_LIMIT = 400
# The shell only calls the host and the core; see DESIGN.md.
SHELL_LIMIT = 800

TOKEN = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<raw>     \bb?r(?P<hashes>\#*)".*?"(?P=hashes) )
  | (?P<string>  "(?:\\.|[^"\\])*" )
  | (?P<char>    '(?:\\[^']+|[^'\\])' )
    """,
    re.DOTALL | re.VERBOSE,
)
TEST_MODULE = re.compile(
    r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]\s*(?:pub(?:\([^)]*\))? )?mod \w+ \{"
)
TYPE = re.compile(r"^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type|union) (\w+)", re.MULTILINE)
USE = re.compile(r"\buse ([^;]+);")
CHILD = re.compile(r"\bmod (\w+);")
PATH = re.compile(r"\b[a-z_]\w*(?:::\w+)+")


def code(text):
    """The code of a file: comments are gone, literals are empty, and so are test modules."""
    text = TOKEN.sub(lambda match: "" if match["comment"] else '""', text)
    while match := TEST_MODULE.search(text):
        text = text[: match.start()] + text[closing_brace(text, match.end()) :]
    return text


def closing_brace(text, start):
    """The offset after the brace that closes the block whose content begins at `start`."""
    depth = 1
    for offset in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[offset], 0)
        if depth == 0:
            return offset + 1
    return len(text)


def code_lines(text):
    return sum(1 for line in code(text).splitlines() if line.strip())


def is_test(path):
    return "tests" in path.with_suffix("").parts


def module_of(path):
    """The module path of a file, which is relative to its source directory. The root is `()`."""
    parts = path.with_suffix("").parts
    if parts[-1] == "mod":
        parts = parts[:-1]
    return () if parts in {("lib",), ("main",)} else parts


def expand(tree):
    """The paths of a `use` tree: `a::{b, c::d}` gives `a::b` and `a::c::d`."""
    prefix, brace, rest = tree.partition("{")
    if not brace:
        return [re.sub(r"\s+as\s+\w+", "", tree).strip()]
    branches, depth = [""], 0
    for character in rest[: rest.rindex("}")]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            branches.append("")
        else:
            branches[-1] += character
    return [
        prefix.strip() + path
        for branch in branches
        if branch.strip()
        for path in expand(branch.strip())
    ]


def dependencies(module, text, modules):
    """The modules whose items `module` uses. Declaring or importing a module is not a use."""
    text = code(text)
    children = set(CHILD.findall(text))
    imports = [path for tree in USE.findall(text) for path in expand(tree)]
    imported = {path.split("::")[-1]: path for path in imports}
    paths = list(imports)
    for path in PATH.findall(USE.sub("", text)):
        head, _, tail = path.partition("::")
        paths.append(f"{imported[head]}::{tail}" if head in imported else path)
    used = set()
    for path in paths:
        target = resolve(module, path.split("::"), children, modules)
        if target is not None and target != module:
            used.add(target)
    return used


def resolve(module, segments, children, modules):
    """The module in which a path finds its item, or None if it is not of this crate."""
    if segments[0] == "crate":
        place, segments = (), segments[1:]
    elif segments[0] == "self":
        place, segments = module, segments[1:]
    elif segments[0] == "super":
        place = module
        while segments and segments[0] == "super":
            place, segments = place[:-1], segments[1:]
    elif segments[0] in children:
        place = module
    else:
        return None
    while segments and (*place, segments[0]) in modules:
        place, segments = (*place, segments[0]), segments[1:]
    return place if segments and place in modules else None


def circles(graph):
    """The groups of nodes that reach each other."""
    reached = {node: reachable(node, graph) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached[other]) for node in graph
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def reachable(node, graph):
    seen, waiting = set(), [node]
    while waiting:
        for following in graph.get(waiting.pop(), ()):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return seen


def circle_problems(root, crate):
    source = root / crate
    files = {path.relative_to(source): path for path in sorted(source.rglob("*.rs"))}
    modules = {module_of(name): path for name, path in files.items() if not is_test(name)}
    graph = {
        module: dependencies(module, path.read_text(), modules) for module, path in modules.items()
    }
    for circle in circles(graph):
        yield f"{crate}: {len(circle)} files import each other in a circle:"
        for module in circle:
            others = sorted(
                str(modules[other].relative_to(source))
                for other in graph[module]
                if other in circle
            )
            yield f"    {modules[module].relative_to(source)} uses {', '.join(others)}"


def length_problems(root, crate):
    shell = 0
    for path in sorted((root / crate).rglob("*.rs")):
        if is_test(path.relative_to(root / crate)):
            continue
        lines = code_lines(path.read_text())
        if lines > FILE_LIMIT:
            name = path.relative_to(root)
            yield f"{name}: {lines} lines of code, limit {FILE_LIMIT}: split the file"
        if path.parent == root / "src/shell":
            shell += lines
    if shell > SHELL_LIMIT:
        yield f"src/shell: {shell} lines of code, limit {SHELL_LIMIT}: move decisions to the core"


def name_problems(root):
    definitions = collections.defaultdict(list)
    for directory in RUST_CODE:
        for path in sorted((root / directory).rglob("*.rs")):
            name = path.relative_to(root)
            if "target" in name.parts:
                continue
            text = TOKEN.sub(lambda match: "" if match["comment"] else '""', path.read_text())
            for type_name in TYPE.findall(text):
                definitions[type_name].append(str(name))
    for type_name, paths in sorted(definitions.items()):
        if len(paths) > 1:
            yield f"{type_name}: defined in {', '.join(paths)}: rename all but one"


def problems(root):
    for crate in CRATES:
        yield from circle_problems(root, crate)
        yield from length_problems(root, crate)
    yield from name_problems(root)


def main():
    found = list(problems(ROOT))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
