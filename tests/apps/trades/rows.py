"""Do the rows of every account agree with each other? In the database's own words, for seasons of quotes too."""

from django.db import connection

CHECKS = {
    "L1: a posting's lines sum to zero": """
        SELECT posting_id, sum(amount) FROM accounts_line GROUP BY 1 HAVING sum(amount) <> 0""",
    "L4: cash is what the journal says": """
        SELECT account.name, account.cash, sum(line.amount) FROM accounts_account account
        JOIN accounts_posting posting ON posting.account_id = account.id
        JOIN accounts_line line ON line.posting_id = posting.id AND line.account_name = 'cash:' || account.name
        GROUP BY account.id HAVING account.cash <> sum(line.amount)""",
    "L5: a position is the sum of its fills": """
        SELECT account_id, position.quantity FROM trades_position position
        LEFT JOIN trades_fill fill USING (account_id, instrument_id)
        GROUP BY account_id, instrument_id, position.quantity
        HAVING position.quantity <> coalesce(sum(fill.quantity * CASE fill.side WHEN 'BUY' THEN 1 ELSE -1 END), 0)""",
    "L5: a flat position costs and locks nothing": """
        SELECT account_id FROM trades_position WHERE quantity = 0 AND (cost_basis <> 0 OR margin <> 0)""",
    "L6: an order's fills are what it has filled": """
        SELECT orders.order_id FROM trades_order orders LEFT JOIN trades_fill fill ON fill.order_id = orders.id
        GROUP BY orders.id HAVING coalesce(sum(fill.quantity), 0) <> orders.filled""",
    "L6: no posting has a number that is still to be given": """
        SELECT account.name FROM accounts_account account
        JOIN accounts_posting posting ON posting.account_id = account.id
        GROUP BY account.id HAVING max(posting.sequence) >= account.sequence""",
}


def check_rows() -> None:
    """Raise for the first rule that does not hold."""
    for rule, query in CHECKS.items():
        with connection.cursor() as cursor:
            cursor.execute(query)
            found = cursor.fetchall()
        assert not found, f"{rule}: {found[:3]}"
