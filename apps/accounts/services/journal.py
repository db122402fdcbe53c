"""Post what moves money, whole batches in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.common import exact
from bitnerve.domain.ledger import ids, postings
from bitnerve.engine.export import QUOTE_ASSET


def write_lines(
    cursor: Any,
    *,
    book: str,
    seed: int,
    names: Sequence[str],
    account_ids: Any,
    lines: postings.Lines,
    sources: Sequence[str],
) -> None:
    """Write postings and their lines in one statement; what does not balance, the database refuses.

    `names` and `account_ids` are those of the accounts that the lines number; `sources` names the cause of each line's
    posting, and with its kind makes it unique in the book.
    """
    first = np.ones(len(lines.agent), dtype=np.bool_)
    first[1:] = (np.diff(lines.agent) != 0) | (np.diff(lines.sequence) != 0)
    if not first.any():
        return
    posting = np.cumsum(first) - 1
    heads = np.flatnonzero(first)
    row_ids = np.array(exact.new_ids(cursor, "accounts_posting", len(heads)))
    keys = [(names[lines.agent[row]], int(lines.sequence[row])) for row in heads.tolist()]
    owners = postings.account_names(entries=tuple(names), season=book)
    head_rows, head_parameters = exact.rows_of(
        head := {
            "id": (exact.INTEGER, row_ids),
            "book": (exact.TEXT, [book] * len(heads)),
            "account_id": (exact.INTEGER, np.asarray(account_ids)[lines.agent[heads]]),
            "posting_id": (exact.TEXT, ids.posting_ids(seed=seed, keys=keys)),
            "sequence": (exact.INTEGER, lines.sequence[heads]),
            "posted_at": (exact.TIME, lines.at[heads]),
            "kind": (exact.TEXT, [postings.KINDS[kind] for kind in lines.kind[heads].tolist()]),
            "source_id": (exact.TEXT, [sources[row] for row in heads.tolist()]),
            "line_count": (exact.INTEGER, np.bincount(posting)),
        }
    )
    line_rows, line_parameters = exact.rows_of(
        line := {
            "posting_id": (exact.INTEGER, row_ids[posting]),
            "account_name": (exact.TEXT, [owners[code] for code in postings.account_codes(lines).tolist()]),
            "asset": (exact.TEXT, [QUOTE_ASSET] * len(posting)),
            "amount": (exact.UNITS, lines.amount),
        }
    )
    cursor.execute(
        f"""WITH posted AS (
                INSERT INTO accounts_posting ({", ".join(head)})
                SELECT {", ".join(exact.written(head).values())} FROM {head_rows}
            )
            INSERT INTO accounts_line ({", ".join(line)})
            SELECT {", ".join(exact.written(line).values())} FROM {line_rows}""",
        [*head_parameters, *line_parameters],
    )
