-- Prints a hash of everything that is in a database: every table and materialized view by its rows, sequences, large objects.
SET client_min_messages = warning;
SET search_path = '';
SET extra_float_digits = 3;
SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text COLLATE pg_catalog."C"), '''')) FROM ONLY %I.%I AS t', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE pg_catalog."C", c.relname COLLATE pg_catalog."C" \gexec
SELECT format('SELECT %L, last_value, is_called FROM %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' ORDER BY n.nspname COLLATE pg_catalog."C", c.relname COLLATE pg_catalog."C" \gexec
SELECT 'large object', oid, md5(pg_catalog.lo_get(oid)) FROM pg_catalog.pg_largeobject_metadata ORDER BY oid;
