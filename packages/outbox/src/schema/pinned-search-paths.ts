/** The end of the outbox's schema in PostgreSQL: of all its functions, each time it is run. */
export const PINNED_SEARCH_PATHS = `-- They find the tables wherever the writer's search path leads. So do the triggers of adopted
-- tables that an earlier version made, where whoever runs this may say so.
DO $$
DECLARE one record;
BEGIN
  FOR one IN
    SELECT p.oid::regprocedure AS made, p.proconfig, NULL::text AS before
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.proname IN ('millrace_outbox_notify',
      'millrace_outbox_check', 'millrace_outbox_check_body', 'millrace_enqueue', 'millrace_publish')
    UNION
    SELECT p.oid::regprocedure, p.proconfig, n.nspname::text
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND starts_with(p.proname, 'millrace_adopt_')
      AND p.proconfig IS NULL AND pg_has_role(p.proowner, 'USAGE')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %s pg_temp', one.made,
      coalesce(quote_ident(nullif(one.before, current_schema())) || ', ', '')
      || quote_ident(current_schema()) || ', ');
  END LOOP;
END $$;
`;
