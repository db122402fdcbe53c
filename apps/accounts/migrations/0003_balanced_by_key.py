"""The database refuses what does not balance by looking at the postings of a statement, never at the whole journal."""

from django.db import migrations

# A planner that knows nothing of a young journal yet would compare every new posting with all there are. So each is
# looked up by its key, and nothing else is offered.
BALANCED = """
CREATE OR REPLACE FUNCTION refuse_unbalanced() RETURNS TRIGGER LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong RECORD;
BEGIN
    SELECT posting.name INTO wrong
    FROM (SELECT DISTINCT posting_id FROM added) a
    CROSS JOIN LATERAL (SELECT count(*) AS lines FROM accounts_line l WHERE l.posting_id = a.posting_id) held
    CROSS JOIN LATERAL (
        SELECT p.posting_id AS name, p.line_count FROM accounts_posting p WHERE p.id = a.posting_id LIMIT 1
    ) posting
    WHERE held.lines < 2 OR held.lines <> posting.line_count
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % has not the lines that it says it has, two at least', wrong.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_is_complete';
    END IF;
    SELECT (SELECT p.posting_id FROM accounts_posting p WHERE p.id = a.posting_id) AS name, odd.* INTO wrong
    FROM (SELECT DISTINCT posting_id FROM added) a
    CROSS JOIN LATERAL (
        SELECT l.asset, sum(l.amount) AS total FROM accounts_line l
        WHERE l.posting_id = a.posting_id GROUP BY l.asset HAVING sum(l.amount) <> 0 LIMIT 1
    ) odd
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not balance: its lines in % sum to %', wrong.name, wrong.asset, wrong.total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_balances';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_balanced")]
    operations = [migrations.RunSQL(BALANCED, migrations.RunSQL.noop)]
