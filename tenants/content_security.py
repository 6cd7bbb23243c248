"""Content security policies: the sources a page may load from, and the targets of its forms."""


def policy(*, form_action: str = "'self'", **sources: str) -> str:
    """Write a policy.

    Args:
        form_action: Where forms may be sent, and redirected to.
        sources: What may be loaded from where, as ``script_src="'self'"``.
    """
    named = [f"{name.replace('_', '-')} {allowed}" for name, allowed in sources.items()]
    rest = [f"form-action {form_action}", "base-uri 'none'", "frame-ancestors 'none'"]
    return "; ".join(["default-src 'none'", *named, *rest])
