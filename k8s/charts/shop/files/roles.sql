-- The three roles of the shop and what each may do. Run again with every revision: a password that was
-- changed in its Secret is changed here too. psql reads names from the environment, passwords from files.
\getenv owner OWNER
\getenv app APP
\getenv backup BACKUP
\set database :DBNAME
\set owner_password `cat /run/secrets/owner/password`
\set app_password `cat /run/secrets/app/password`
\set backup_password `cat /run/secrets/backup/password`

-- A statement that fails would be logged with the password in it.
SET log_min_error_statement = panic;
SET log_statement = none;
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('shop roles'));
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'owner', :'app', :'backup']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- owner: schema and migrations, and the copy beside the original that a restore into this server needs.
-- app: data only, by the migrations' grants. backup: reads every row, also past row policies, and writes none.
ALTER ROLE :"owner" LOGIN CREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"app" LOGIN NOCREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS PASSWORD :'app_password';
ALTER ROLE :"backup" LOGIN NOCREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION BYPASSRLS PASSWORD :'backup_password';
ALTER DATABASE :"database" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"app", :"backup";
ALTER SCHEMA public OWNER TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT pg_read_all_data TO :"backup";
COMMIT;
