"""The database itself refuses a posting that does not balance."""

from django.db import migrations

# One look over all lines of a statement (a row trigger would cost the batch its speed). A posting is complete in one
# statement: whoever adds lines to it later finds that there are too many.
BALANCED = """
CREATE FUNCTION refuse_unbalanced() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    wrong RECORD;
BEGIN
    SELECT l.posting_id, p.posting_id AS name INTO wrong
    FROM (SELECT DISTINCT posting_id FROM added) a
    JOIN accounts_line l USING (posting_id)
    JOIN accounts_posting p ON p.id = l.posting_id
    GROUP BY l.posting_id, p.posting_id, p.line_count
    HAVING count(*) < 2 OR count(*) <> p.line_count
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % has not the lines that it says it has, two at least', wrong.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_is_complete';
    END IF;
    SELECT p.posting_id AS name, l.asset, sum(l.amount) AS total INTO wrong
    FROM (SELECT DISTINCT posting_id FROM added) a
    JOIN accounts_line l USING (posting_id)
    JOIN accounts_posting p ON p.id = l.posting_id
    GROUP BY p.posting_id, l.asset
    HAVING sum(l.amount) <> 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not balance: its lines in % sum to %', wrong.name, wrong.asset, wrong.total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_balances';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER lines_balance AFTER INSERT ON accounts_line
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(
            BALANCED, "DROP TRIGGER lines_balance ON accounts_line; DROP FUNCTION refuse_unbalanced();"
        )
    ]
