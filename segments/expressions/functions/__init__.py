"""The functions of the language, by name. Each takes the fuel first and charges before it works."""

from segments.expressions.functions.basics import BASICS
from segments.expressions.functions.codes import CODES
from segments.expressions.functions.dates import DATES
from segments.expressions.functions.drawn import DRAWN
from segments.expressions.functions.kinds import KINDS
from segments.expressions.functions.markup import MARKUP
from segments.expressions.functions.patterns import PATTERNS
from segments.expressions.functions.rows import ROWS
from segments.expressions.functions.tables import TABLES
from segments.expressions.signature import Signature, signature_of

GROUPS = (BASICS, ROWS, KINDS, DATES, DRAWN, PATTERNS, CODES, MARKUP, TABLES)
FUNCTIONS: dict[str, Signature] = {
    name: signature_of(call, leading=1) for group in GROUPS for name, call in group.items()
}
