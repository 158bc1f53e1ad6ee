"""What imports what, no float where money is, and nothing too long to be read in one go."""

import ast
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "billing_mcp"
LONGEST_FILE = 400
LONGEST_FUNCTION = 70

# What a part may import of ours; the longest name that fits a module is its rule. A new part has
# to be named here, so that nobody imports upward without having thought about it.
CORE = {
    "errors",
    "telemetry",
    "money",
    "config",
    "credentials",
    "wire",
    "vendor_errors",
    "connection",
    "upstream",
}
TOOL = CORE | {"declarations", "params", "results", "sameness", "tools"}
MAY_IMPORT: Mapping[str, set[str]] = {
    "errors": set(),
    "telemetry": set(),
    "money": set(),
    # Only the type of what a tenant adds to the policy.
    "credentials": {"guard.policy_file"},
    "scopes": set(),
    "tenants_file": {"credentials", "guard.policy_file"},
    "config": {"credentials", "tenants_file"},
    "wire": {"errors", "money"},
    "vendor_errors": {"errors"},
    "connection": CORE,
    "upstream": CORE,
    "validation": {"errors"},
    "params": {"errors", "money"},
    "results": {"errors", "money", "credentials"},
    "declarations": {"tools"},
    "sameness": {"money"},
    "door": {"errors", "guard.operations", "results"},
    "shapes": {"declarations", "money", "params", "results"},
    "tools": {"credentials"},
    "aliases": {"tools"},
    "tools.wording": {"errors", "money", "results"},
    "tools.togai": TOOL,
    "tools.suger": TOOL,
    "tools.search": {
        "aliases",
        "declarations",
        "door",
        "errors",
        "params",
        "results",
        "search",
        "tools",
        "validation",
    },
    "search": {"spelling"},
    "spelling": set(),
    "tools.ledger": {
        "declarations",
        "door",
        "errors",
        "guard.operations",
        "money",
        "params",
        "results",
        "wire",
    },
    "ledgers": {"config", "credentials", "errors", "guard"},
    "tenants": {*CORE, "guard.policy", "ledgers", "sandbox", "scopes"},
    "calls": {*TOOL, "guard", "shapes", "tenants", "validation"},
    "recovery": {"errors", "guard", "ledgers", "tenants"},
    "approvals": {"errors", "guard", "ledgers", "results", "tenants", "wire"},
    "consent": {
        "approvals",
        "errors",
        "guard.operations",
        "money",
        "results",
        "scopes",
        "tenants",
    },
    "sealing": {"config"},
    "catalog": {
        *TOOL,
        "aliases",
        "calls",
        "guard.operations",
        "recovery",
        "scopes",
        "shapes",
        "tenants",
        "validation",
    },
    "listing": {"catalog", "config", "errors", "guard", "results", "tenants", "tools"},
    "approving": {
        "approvals",
        "config",
        "credentials",
        "errors",
        "guard",
        "listing",
        "results",
        "tenants",
        "wire",
    },
    "auditing": {"config", "credentials", "guard", "ledgers", "listing", "money", "tenants"},
    "completions": {"catalog", "results", "tenants", "validation"},
    "prompts": {"catalog", "errors", "tenants", "tools", "validation"},
    "resources": {
        *TOOL,
        "catalog",
        "completions",
        "resources",
        "shapes",
        "tenants",
        "validation",
    },
    "instructions": {"catalog", "config", "tenants", "wire"},
    "server": {
        "catalog",
        "completions",
        "config",
        "consent",
        "errors",
        "instructions",
        "prompts",
        "recovery",
        "resources",
        "results",
        "scopes",
        "sealing",
        "stdio",
        "telemetry",
        "tenants",
        "wire",
    },
    "json_rpc": set(),
    "stdio": {"json_rpc"},
    "logs": {"config", "telemetry"},
    "http": {
        *CORE,
        "approvals",
        "calls",
        "catalog",
        "doctor",
        "guard.operations",
        "http",
        "json_rpc",
        "logs",
        "results",
        "scopes",
        "server",
        "tenants",
        "tools",
    },
    "keys": {"config", "credentials", "http.api_keys", "scopes"},
    "doctor": {"catalog", "config", "credentials", "guard_checkup", "http.checkup", "tenants"},
    "guard_checkup": {
        "approvals",
        "config",
        "credentials",
        "errors",
        "guard",
        "tenants",
        "wire",
    },
    "guard": {
        "config",
        "credentials",
        "declarations",
        "errors",
        "guard",
        "money",
        "results",
        "tools",
        "upstream",
        "validation",
        "wire",
    },
    "rating": {"money", "rating"},
    "sandbox": {"money", "rating", "sandbox"},
}
# The command line starts everything, so it may import everything; the demo is a client of all.
FREE = {"cli", "demo", "__main__"}
# Where a float could become an amount: everything below the transport's own waiting.
EXACT = ("money", "tools", "sandbox", "params", "results", "wire", "rating", "guard")
READS_ENVIRONMENT = {"cli"}
FUTURE = ("__future__",)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def modules() -> Mapping[str, ast.Module]:
    """The modules by their names without the package's, which itself is left out."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = parsed(path)
    del found["__init__"]
    return found


@functools.cache
def imported(tree: ast.Module) -> frozenset[str]:
    """Whole names of what a module imports anywhere in it: `billing_mcp.tools.togai`, `json`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def of_ours(tree: ast.Module) -> set[str]:
    """The modules of ours that are imported, `__version__` aside: `sandbox.call`, `errors`."""
    names = set()
    for name in imported(tree):
        if not name.startswith("billing_mcp.") or name == "billing_mcp.__version__":
            continue
        parts = name.split(".")[1:]
        while parts and ".".join(parts) not in modules():
            parts.pop()
        assert parts, name
        names.add(".".join(parts))
    return names


def within(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def rule_of(name: str) -> str | None:
    fitting = [part for part in MAY_IMPORT if within(name, (part,))]
    return max(fitting, key=len, default=None)


def broken(says: Callable[[str, ast.Module], Iterable[object]]) -> list[str]:
    """What is wrong with which module: one test looks at all of them."""
    return [f"{name}: {wrong}" for name, tree in modules().items() for wrong in says(name, tree)]


def test_imports_point_downward_only() -> None:
    def upward(name: str, tree: ast.Module) -> Iterator[str]:
        rule = rule_of(name)
        if name in FREE:
            return
        if rule is None:
            yield "say in MAY_IMPORT what it may import"
            return
        for other in of_ours(tree):
            if not within(other, MAY_IMPORT[rule]) and not within(other, (name,)):
                yield f"imports {other}"

    assert not broken(upward)


def test_a_tool_imports_neither_the_catalogue_nor_the_sandbox_nor_the_other_vendor() -> None:
    for name, tree in modules().items():
        if within(name, ("tools.togai", "tools.suger")):
            other = "tools.suger" if name.startswith("tools.togai") else "tools.togai"
            assert not {o for o in of_ours(tree) if within(o, ("catalog", "sandbox", other))}, name


def test_the_table_of_contents_imports_no_tool() -> None:
    assert of_ours(modules()["tools"]) == {"credentials"}


def test_the_vendors_of_the_sandbox_do_not_know_each_other() -> None:
    for name, tree in modules().items():
        for one, other in (("togai", "suger"), ("suger", "togai")):
            if within(name, (f"sandbox.{one}",)):
                assert not {o for o in of_ours(tree) if within(o, (f"sandbox.{other}",))}, name


def test_only_the_way_up_speaks_http() -> None:
    speaking = {
        name
        for name, tree in modules().items()
        if any(within(other, ("httpx2", "httpx", "requests")) for other in imported(tree))
    }
    assert speaking <= {"connection", "upstream", "http.auth"}


def test_only_the_command_line_looks_at_the_environment() -> None:
    def looks(name: str, tree: ast.Module) -> set[str]:
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        found = used & {"environ", "environb", "getenv"}
        found |= imported(tree) & {"os.environ", "os.getenv"}
        return set() if name in READS_ENVIRONMENT else found

    assert not broken(looks)


def test_no_float_where_money_is() -> None:
    def floats(name: str, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree) if within(name, EXACT) else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield f"line {node.lineno}"
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if called and node.func.id == "float":  # type: ignore[attr-defined]  # called
                yield f"line {node.lineno}"  # type: ignore[attr-defined]  # called

    assert not broken(floats)


def test_no_module_reads_its_annotations_as_text() -> None:
    assert not broken(lambda _, tree: {one for one in imported(tree) if within(one, FUTURE)})


def test_every_module_says_in_a_docstring_what_it_owns() -> None:
    silent = {name for name, tree in modules().items() if not ast.get_docstring(tree)}
    assert silent <= {"__main__"}


def test_files_and_functions_can_be_read_in_one_go() -> None:
    assert not list(too_long())


def too_long() -> Iterator[str]:
    folders = ("src", "tests", "scripts", "benchmarks")
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        shown = path.relative_to(ROOT)
        if lines > LONGEST_FILE:
            yield f"{shown} has {lines} lines"
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                size = node.end_lineno - node.lineno + 1
                if size > LONGEST_FUNCTION:
                    yield f"{shown}: {node.name} has {size} lines"
