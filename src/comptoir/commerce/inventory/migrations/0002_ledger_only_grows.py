"""Movements are never changed, deleted or truncated: PostgreSQL says no, whoever asks."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION inventory_ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the stock ledger only grows: % of inventory_movement is refused', TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Book another movement that corrects it.';
END
$$;
CREATE TRIGGER movement_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON inventory_movement
    FOR EACH STATEMENT EXECUTE FUNCTION inventory_ledger_only_grows();
"""
ALLOW = """
DROP TRIGGER movement_only_grows ON inventory_movement;
DROP FUNCTION inventory_ledger_only_grows();
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
