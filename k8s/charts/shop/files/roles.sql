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
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'app_password';
ALTER ROLE :"backup" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'backup_password';

-- owner: schema and migrations. app: data only, by the migrations' grants. backup: reads everything, writes nothing.
ALTER DATABASE :"database" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"app", :"backup";
ALTER SCHEMA public OWNER TO :"owner";
GRANT pg_read_all_data TO :"backup";
ALTER ROLE :"backup" SET default_transaction_read_only = on;
COMMIT;
