"""Which handler answers a path, and whether a path nobody answers is one of the vendor's at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

    def matches(self, segments: Segments) -> bool:
        return len(segments) == len(self.template) and all(
            is_parameter(part) or part == segment
            for part, segment in zip(self.template, segments, strict=True)
        )

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


class RouteTable:
    """The operations of one vendor, imitated or not."""

    def __init__(self, resources: Iterable[Resource], vendor_operations: Iterable[Route]) -> None:
        imitated = [
            Route(method, split(path), handler)
            for resource in resources
            for method, path, handler in resource.routes
        ]
        # Literal segments win over parameters, and what is imitated over what is only known.
        self._routes = sorted(
            [*imitated, *vendor_operations],
            key=lambda route: (
                [is_parameter(part) for part in route.template],
                route.handler is None,
            ),
        )

    def find(self, method: str, segments: Segments) -> tuple[Handler, Mapping[str, str]]:
        """The handler and its path parameters. Refuses with 501, 405 or 404."""
        candidates = [route for route in self._routes if route.matches(segments)]
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
