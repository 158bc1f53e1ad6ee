"""Which handler answers a path, and whether a path nobody answers is one of the vendor's at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from billing_mcp.sandbox.call import Handler, Refusal, Resource

# A path's parts between slashes; in a template "{name}" stands for any one of them.
Segments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its template, and its handler when the sandbox imitates it."""

    method: str
    template: Segments
    handler: Handler | None

    def parameters(self, segments: Segments) -> dict[str, str]:
        return {
            part[1:-1]: segment
            for part, segment in zip(self.template, segments, strict=True)
            if is_parameter(part)
        }

    @property
    def path(self) -> str:
        return "/" + "/".join(self.template)


def is_parameter(part: str) -> bool:
    return part.startswith("{")


@dataclass(slots=True)
class _Branch:
    """The routes whose templates begin alike, by their next part; a parameter's is under ""."""

    routes: list[Route] = field(default_factory=list)
    branches: dict[str, "_Branch"] = field(default_factory=dict)

    def add(self, route: Route) -> None:
        branch = self
        for part in route.template:
            key = "" if is_parameter(part) else part
            branch = branch.branches.setdefault(key, _Branch())
        branch.routes.append(route)

    def matching(self, segments: Segments) -> list[Route]:
        """Literal parts win over parameters, the earlier ones first."""
        if not segments:
            return self.routes
        keys = (segments[0], "") if segments[0] else ()
        return [
            route
            for key in keys
            if key in self.branches
            for route in self.branches[key].matching(segments[1:])
        ]


class RouteTable:
    """The operations of one vendor, imitated or not."""

    def __init__(self, resources: Iterable[Resource], vendor_operations: Iterable[Route]) -> None:
        imitated = [
            Route(method, split(path), handler)
            for resource in resources
            for method, path, handler in resource.routes
        ]
        self._routes = [*imitated, *vendor_operations]
        self._root = _Branch()
        for route in self._routes:
            self._root.add(route)

    def find(self, method: str, segments: Segments) -> tuple[Handler, Mapping[str, str]]:
        """The handler and its path parameters. Refuses with 501, 405 or 404."""
        candidates = self._root.matching(segments)
        for route in candidates:
            if route.method == method and route.handler is not None:
                return route.handler, route.parameters(segments)
        raise _refusal(method, segments, candidates)

    def imitated(self) -> list[str]:
        """Every imitated operation as `METHOD /path`, sorted by path."""
        served = [route for route in self._routes if route.handler is not None]
        return [f"{r.method} {r.path}" for r in sorted(served, key=lambda r: (r.path, r.method))]


def _refusal(method: str, segments: Segments, candidates: list[Route]) -> Refusal:
    for route in candidates:
        if route.method == method:
            return Refusal(501, f"not imitated by the sandbox: {method} {route.path}")
    if candidates:
        allowed = ", ".join(sorted({route.method for route in candidates}))
        message = f"{method} is not an operation of {candidates[0].path}, only {allowed}"
        return Refusal(405, message, {"Allow": allowed})
    return Refusal(404, f"no such path: /{'/'.join(segments)}")


def split(path: str) -> Segments:
    return tuple(path.strip("/").split("/"))


def vendor_operations(vendor: str) -> list[Route]:
    """Every operation the vendor's documents list, from the folder's `operations.txt`."""
    listing = files(f"billing_mcp.sandbox.{vendor}").joinpath("operations.txt")
    operations = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            method, path = line.split(" ")
            operations.append(Route(method, split(path), None))
    return operations
