"""The API's routes, as the URL resolver has them."""

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def routes() -> Iterator[tuple[str, URLPattern]]:
    def walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, path)
            else:
                yield path, pattern

    for path, pattern in walk(get_resolver(), ""):
        if path.startswith("api/v1/"):
            yield path.removeprefix("api/v1/"), pattern


def methods_of(pattern: URLPattern) -> set[str]:
    view = pattern.callback.cls  # type: ignore[union-attr]  # every route of the API is a class
    return {method for method in METHODS if method != "HEAD" and hasattr(view, method.lower())}
