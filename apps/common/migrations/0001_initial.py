"""The exact kinds of number, and how a month of a long table is made."""

from django.db import migrations

DOMAINS = """
CREATE DOMAIN exact_money AS NUMERIC
    CHECK (VALUE <> 'NaN' AND abs(VALUE) <= 90000000000 AND VALUE = trunc(VALUE, 8));
CREATE DOMAIN exact_price AS NUMERIC
    CHECK (VALUE <> 'NaN' AND VALUE > 0 AND VALUE <= 1000000000 AND VALUE = trunc(VALUE, 12));
CREATE DOMAIN exact_quantity AS NUMERIC
    CHECK (VALUE <> 'NaN' AND abs(VALUE) <= 1000000000000 AND VALUE = trunc(VALUE, 12));
CREATE DOMAIN exact_rate AS NUMERIC
    CHECK (VALUE <> 'NaN' AND abs(VALUE) <= 9999999999 AND VALUE = trunc(VALUE, 8));
"""

# The application owns nothing, so it asks the owner's function for a month of a table that is kept by months.
MONTHS = """
CREATE FUNCTION make_month(parent TEXT, day DATE) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first DATE := date_trunc('month', day);
    part TEXT := parent || to_char(first, '_YYYY_MM');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(parent)) THEN
        RAISE EXCEPTION '% is not kept by months', parent;
    END IF;
    IF to_regclass(part) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext(part));
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                       part, parent, first::TIMESTAMP AT TIME ZONE 'UTC',
                       (first + INTERVAL '1 month') AT TIME ZONE 'UTC');
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            DOMAINS,
            "DROP DOMAIN exact_money; DROP DOMAIN exact_price; DROP DOMAIN exact_quantity; DROP DOMAIN exact_rate;",
        ),
        migrations.RunSQL(MONTHS, "DROP FUNCTION make_month(TEXT, DATE);"),
    ]
