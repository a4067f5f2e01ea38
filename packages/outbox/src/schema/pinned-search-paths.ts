/** What the schema's warnings begin with: they are for who runs it. */
export const SCHEMA_WARNING = "millrace outbox: ";

/** The end of the outbox's schema in PostgreSQL: of all its functions, each time it is run. */
export const PINNED_SEARCH_PATHS = `-- They find the tables wherever the writer's search path leads. So do the triggers of adopted
-- tables that an earlier version made, where whoever runs this may say so, and where they can be no
-- other outbox's: one is the outbox's in whose schema its function is.
DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT p.oid::regprocedure AS made
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.proname IN ('millrace_outbox_notify',
      'millrace_outbox_check', 'millrace_outbox_check_body', 'millrace_enqueue', 'millrace_publish')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', one.made, current_schema());
  END LOOP;
  FOR one IN
    SELECT p.oid::regprocedure AS made, home.nspname AS home, place.nspname AS place,
      format('%I.%I', place.nspname, c.relname) AS adopted,
      home.nspname = current_schema() OR NOT EXISTS (
        SELECT 1 FROM pg_proc other JOIN pg_namespace n ON n.oid = other.pronamespace
        WHERE other.proname = 'millrace_enqueue' AND n.nspname <> current_schema()) AS is_own
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
      JOIN pg_namespace home ON home.oid = p.pronamespace
      JOIN pg_namespace place ON place.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND starts_with(p.proname, 'millrace_adopt_')
      AND p.proconfig IS NULL AND pg_has_role(p.proowner, 'USAGE')
  LOOP
    IF one.is_own THEN
      -- As the path was of whoever has adopted the table: it began with the function's schema.
      EXECUTE format('ALTER FUNCTION %s SET search_path = %I, %I, %I, pg_temp',
        one.made, one.home, one.place, current_schema());
    ELSIF NOT EXISTS (
      SELECT 1 FROM pg_proc other JOIN pg_namespace n ON n.oid = other.pronamespace
      WHERE other.proname = 'millrace_enqueue' AND n.nspname = one.home) THEN
      RAISE WARNING '${SCHEMA_WARNING}the trigger of the table % goes by the search path of its writers, and this database has several outboxes; adopt it again from the outbox that its rows are for',
        one.adopted;
    END IF;
  END LOOP;
END $$;
`;
