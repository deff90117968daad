from django.db import migrations

# Removing this guard must turn the suite red (docs/architecture.md, invariants).
# Only a database made by the test runner may be emptied between tests; there
# `apropos.guard_truncate` puts the guard back.
GUARDS = """
CREATE FUNCTION preferences_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%'
        AND coalesce(current_setting('apropos.guard_truncate', true), '') <> 'on'
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE
    ON preferences_consentrecord
    FOR EACH ROW EXECUTE FUNCTION preferences_refuse_change();
CREATE TRIGGER consent_never_emptied BEFORE TRUNCATE
    ON preferences_consentrecord
    FOR EACH STATEMENT EXECUTE FUNCTION preferences_refuse_change();
CREATE TRIGGER wording_append_only BEFORE UPDATE OR DELETE
    ON preferences_centerwording
    FOR EACH ROW EXECUTE FUNCTION preferences_refuse_change();
CREATE TRIGGER wording_never_emptied BEFORE TRUNCATE
    ON preferences_centerwording
    FOR EACH STATEMENT EXECUTE FUNCTION preferences_refuse_change();
"""

UNGUARD = """
DROP TRIGGER consent_append_only ON preferences_consentrecord;
DROP TRIGGER consent_never_emptied ON preferences_consentrecord;
DROP TRIGGER wording_append_only ON preferences_centerwording;
DROP TRIGGER wording_never_emptied ON preferences_centerwording;
DROP FUNCTION preferences_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("preferences", "0001_first_tables")]

    operations = [migrations.RunSQL(GUARDS, UNGUARD)]
