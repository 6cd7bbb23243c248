"""What a browser posts for a form that nobody has touched."""

from humantasks.inbox.fields import Field, FieldKind

ONE_LINE = {
    FieldKind.TEXT,
    FieldKind.EMAIL,
    FieldKind.INTEGER,
    FieldKind.NUMBER,
    FieldKind.DATE,
    FieldKind.DATE_TIME,
    FieldKind.TIME,
    FieldKind.URI,
}


def posted_of(form: Field) -> dict[str, list[str]]:
    """The names and texts of a form's widgets, as HTML says browsers send them."""
    if form.kind in {FieldKind.GROUP, FieldKind.ITEMS}:
        return {name: texts for field in form.fields for name, texts in posted_of(field).items()}
    if form.kind == FieldKind.SHOWN:
        return {}
    if form.kind in {FieldKind.CHECKBOX, FieldKind.CHECKS}:
        return {form.name: ["", *(text for text in form.texts if text)]}
    if form.kind == FieldKind.RADIO and not form.text:
        return {}
    text = form.text
    if form.kind in ONE_LINE:
        text = text.replace("\n", "").replace("\r", "")
    else:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if form.kind in {FieldKind.EMAIL, FieldKind.URI}:
        text = text.strip()
    return {form.name: [text]}
