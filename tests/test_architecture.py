"""What imports what, no float where money is, and nothing too long to be read in one go."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

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
    "tools.wording": {"errors", "money", "results"},
    "tools.togai": TOOL,
    "tools.suger": TOOL,
    "tools.search": {
        "declarations",
        "door",
        "errors",
        "params",
        "results",
        "search",
        "validation",
    },
    "search": {"spelling", "tools"},
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
    "recovery": {"errors", "guard", "tenants"},
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
    "prompts": {"catalog", "errors", "tenants", "validation"},
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


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        yield name, path, ast.parse(path.read_text(encoding="utf-8"))


MODULES = {name: (path, tree) for name, path, tree in modules() if name != "__init__"}


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> tuple[str, Path, ast.Module]:
    name: str = request.param
    return name, *MODULES[name]


def imported(tree: ast.Module) -> set[str]:
    """Whole names of what a module imports anywhere in it: `billing_mcp.tools.togai`, `json`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_ours(tree: ast.Module) -> set[str]:
    """The modules of ours that are imported, `__version__` aside: `sandbox.call`, `errors`."""
    names = set()
    for name in imported(tree):
        if not name.startswith("billing_mcp.") or name == "billing_mcp.__version__":
            continue
        parts = name.split(".")[1:]
        while parts and ".".join(parts) not in MODULES:
            parts.pop()
        assert parts, name
        names.add(".".join(parts))
    return names


def within(name: str, parts: Iterable[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def rule_of(name: str) -> str | None:
    fitting = [part for part in MAY_IMPORT if within(name, (part,))]
    return max(fitting, key=len, default=None)


def test_imports_point_downward_only(module: tuple[str, Path, ast.Module]) -> None:
    name, _, tree = module
    if name in FREE:
        return
    rule = rule_of(name)
    assert rule is not None, f"say in MAY_IMPORT what {name} may import"
    for other in of_ours(tree):
        assert within(other, MAY_IMPORT[rule]) or within(other, (name,)), f"{name} → {other}"


def test_a_tool_imports_neither_the_catalogue_nor_the_sandbox_nor_the_other_vendor() -> None:
    for name, (_, tree) in MODULES.items():
        if within(name, ("tools.togai", "tools.suger")):
            other = "tools.suger" if name.startswith("tools.togai") else "tools.togai"
            assert not {o for o in of_ours(tree) if within(o, ("catalog", "sandbox", other))}


def test_the_table_of_contents_imports_no_tool() -> None:
    assert of_ours(MODULES["tools"][1]) == {"credentials"}


def test_the_vendors_of_the_sandbox_do_not_know_each_other() -> None:
    for name, (_, tree) in MODULES.items():
        for one, other in (("togai", "suger"), ("suger", "togai")):
            if within(name, (f"sandbox.{one}",)):
                assert not {o for o in of_ours(tree) if within(o, (f"sandbox.{other}",))}, name


def test_only_the_way_up_speaks_http(module: tuple[str, Path, ast.Module]) -> None:
    name, _, tree = module
    speaks = any(within(other, ("httpx2", "httpx", "requests")) for other in imported(tree))
    if speaks:
        assert name in {"connection", "upstream", "http.auth"}


def test_only_the_command_line_looks_at_the_environment(
    module: tuple[str, Path, ast.Module],
) -> None:
    name, _, tree = module
    if name not in READS_ENVIRONMENT:
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not used & {"environ", "environb", "getenv"}
        assert not {o for o in imported(tree) if o in ("os.environ", "os.getenv")}


def test_no_float_where_money_is(module: tuple[str, Path, ast.Module]) -> None:
    name, _, tree = module
    if not within(name, EXACT):
        return
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), node.lineno
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        assert not (called and node.func.id == "float"), node.lineno  # type: ignore[attr-defined]  # called


def test_no_module_reads_its_annotations_as_text(module: tuple[str, Path, ast.Module]) -> None:
    _, _, tree = module
    assert not {name for name in imported(tree) if name.startswith("__future__")}


def test_every_module_says_in_a_docstring_what_it_owns(
    module: tuple[str, Path, ast.Module],
) -> None:
    name, _, tree = module
    if name != "__main__":
        assert ast.get_docstring(tree)


def python_files() -> list[Path]:
    folders = ("src", "tests", "scripts", "benchmarks")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_can_be_read_in_one_go(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno + 1 <= LONGEST_FUNCTION, node.name
