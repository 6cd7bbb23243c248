"""A workflow that asks people, as a canvas would send it."""

from typing import Any

from tests.support.segments import segment, step

ORDER = {
    "order_id": 20417,
    "customer": {"name": "Ann Noble", "email": "ann@customer.test", "since": "2021-03-14"},
    "amount": 12450.5,
    "ordered_at": "2026-11-20T09:30:00Z",
    "gift": False,
    "lines": [
        {"sku": "LAMP-2", "name": "Desk lamp, brass", "quantity": 2, "price": 5000},
        {"sku": "BULB-9", "name": "Bulb, warm white, 9 W", "quantity": 5, "price": 490.1},
    ],
    "letter": "Dear team,\n\nthe lamp came broken. " + "I have packed it as carefully as I could. " * 14,
}
FORM = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer", "title": "Order", "readOnly": True},
        "amount": {
            "type": "number", "title": "Refund, EUR", "minimum": 1, "maximum": 20000,
            "description": "What the customer gets back.",
        },
        "gift": {"type": "boolean", "title": "Add a voucher"},
        "reason": {"type": "string", "title": "Reason", "enum": ["damaged", "late", "wrong item"]},
        "pay_on": {"type": "string", "format": "date", "title": "Pay on"},
        "lines": {"type": "array", "title": "Lines", "items": {"type": "object", "properties": {
            "sku": {"type": "string", "title": "SKU"}, "name": {"type": "string", "title": "Name"},
            "quantity": {"type": "integer", "title": "Quantity", "minimum": 1},
            "price": {"type": "number", "title": "Price"},
        }, "required": ["sku", "quantity"]}},
        "letter": {"type": "string", "title": "Letter", "maxLength": 5000},
    },
    "required": ["amount"],
}  # fmt: skip


def refund_desk(**asked: Any) -> dict[str, Any]:
    """Read an order, ask a person about it, then pay or close."""
    question = {"task_type": "review", "title": "Refund order {{ order_id }}?", "form": FORM, **asked}
    edges = [
        {"from": "read", "to": "ask"},
        {"from": "ask", "from_port": "approved", "to": "pay"},
        {"from": "ask", "from_port": "rejected", "to": "close"},
    ]
    if question["task_type"] == "review":
        edges.append({"from": "ask", "from_port": "modified", "to": "pay"})
    document = segment(
        step("read", "transform", expression="input"),
        step("ask", "human_task", **question),
        step("pay", "transform", expression="input.data"),
        step("close", "transform", expression="{'closed': true}"),
        edges=edges,
    )
    names = {"read": "Read the order", "ask": "Ask a reviewer", "pay": "Pay the refund", "close": "Close the case"}
    steps = [{**one, "name": names[one["step_id"]]} for one in document["steps"]]
    return {**document, "segment_id": "refund_desk", "name": "Refund desk", "steps": steps}
