-- One database with every built-in type and every kind of object that a dump holds.
-- Parts that a server's version or build may lack are inside DO blocks that ask first.

DO $roles$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['every_owner', 'every_reader', 'Every "Writer"'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END $roles$;

CREATE SCHEMA shop AUTHORIZATION every_owner;
CREATE SCHEMA "Übung ""x"" 表";
GRANT USAGE ON SCHEMA shop TO every_reader;
COMMENT ON SCHEMA shop IS 'comment on a schema';

-- Extensions, one with a configuration table that dumps carry.
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA public;
CREATE EXTENSION ltree SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE EXTENSION btree_gist SCHEMA public;
CREATE EXTENSION postgres_fdw SCHEMA public;
COMMENT ON EXTENSION citext IS 'a comment of our own';

-- Types
CREATE TYPE shop.mood AS ENUM ('sad', 'it''s ok', 'Glücklich', '');
CREATE TYPE shop.pair AS (x integer, y text COLLATE "C");
CREATE TYPE shop.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN shop.positive AS integer DEFAULT 1 CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE DOMAIN shop.small AS shop.positive CONSTRAINT is_small CHECK (VALUE < 1000);
CREATE DOMAIN shop.email AS citext NOT NULL;
CREATE DOMAIN shop.tags AS text[];
ALTER TYPE shop.mood OWNER TO every_owner;
REVOKE USAGE ON TYPE shop.pair FROM PUBLIC;
GRANT USAGE ON TYPE shop.pair TO every_reader;
COMMENT ON TYPE shop.mood IS 'comment on a type';
COMMENT ON DOMAIN shop.positive IS 'comment on a domain';
CREATE TYPE shop.shell;

CREATE COLLATION shop.bytes (provider = libc, locale = 'C');
DO $icu$ BEGIN
    CREATE COLLATION shop.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE shop.nocase_texts (t text COLLATE shop.nocase, u text COLLATE "de-x-icu");
    INSERT INTO shop.nocase_texts VALUES ('a', 'ä'), ('A', 'Ä');
EXCEPTION WHEN feature_not_supported THEN
    CREATE TABLE shop.nocase_texts (t text, u text);
END $icu$;

-- Every built-in type that a column can have, with its edge values
CREATE TABLE public.numbers (
    id integer PRIMARY KEY, i2 smallint, i4 integer, i8 bigint, n numeric, n2 numeric(12, 3), f4 real, f8 double precision,
    m money, b boolean, o oid);
INSERT INTO public.numbers VALUES
    (1, -32768, -2147483648, -9223372036854775808, 'NaN', -0.001, '-0', '-0', -92233720368547758.08, true, 0),
    (2, 32767, 2147483647, 9223372036854775807, 'Infinity', 0, 0, 0, 92233720368547758.07, false, 4294967295),
    (3, 0, 0, 0, '-Infinity', 1.5, 'NaN', 'NaN', 0, NULL, 1),
    (4, NULL, NULL, 4294967297, 1.5, 1.50, 'Infinity', '-Infinity', 1.5, true, NULL),
    (5, 1, 1, 1, 1.50, 100, 1e-45, 5e-324, -1.5, false, 16384),
    (6, -1, -1, -1, 1e131071, 999999999.999, 3.4028235e38, 1.7976931348623157e308, 1, true, 5),
    (7, 2, 2, 2, -1.5, NULL, 0.1, 0.1, 1, true, 5), (8, 2, 2, 2, 0.0, NULL, 16777217, 0.30000000000000004, 1, true, 5);

CREATE TABLE public.texts (
    id integer PRIMARY KEY, t text, v varchar(20), c char(5), bc bpchar, n name, k "char", ci citext, by bytea,
    u uuid, bt bit(8), vb bit varying, j json, jb jsonb, jp jsonpath, tv tsvector, tq tsquery);
INSERT INTO public.texts VALUES
    (1, '', '', '', '', '', '', '', '', '00000000-0000-0000-0000-000000000000', B'00000000', B'', '{}', '{}', '$', '', ''),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, E'tab\t newline\n \\N \\. "quoted" ''one''', 'ä', 'a', 'a  ', 'name', 'a', 'MiXed', '\x00ff', gen_random_uuid(),
     B'10101010', B'1', '{"a": 1, "a": 2 }', '{"b": 1.50, "a": 1.5}', '$.a[*] ? (@ > 1)', 'a:1A b:2 ''it''''s'':3', 'a & !b | c:*'),
    (4, 'Zażółć 表 😀', 'é', 'b', 'a', 'ñ', 'z', 'mixed', decode(repeat('00', 3000), 'hex'), gen_random_uuid(),
     B'11111111', B'01', '[1, 2]', '[1, 2]', 'strict $.a', to_tsvector('simple', 'x y z'), to_tsquery('simple', 'x <-> y')),
    (5, repeat('long ', 100000), 'e' || U&'\0301', NULL, '', 'x', 'b', '', NULL, NULL, NULL, NULL, 'null', 'null', NULL, NULL, NULL);

CREATE TABLE public.times (
    id integer PRIMARY KEY, d date, t time, t3 time(3), tz timetz, ts timestamp, tstz timestamptz, iv interval);
INSERT INTO public.times VALUES
    (1, '-infinity', '00:00', '00:00:00.001', '00:00+14', '-infinity', '-infinity', '30 days'),
    (2, 'infinity', '24:00', '23:59:59.999', '23:59:59.999999-12:30:15', 'infinity', 'infinity', '1 mon'),
    (3, '4713-01-01 BC', '12:34:56.789012', NULL, '12:00+00', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00 BC', '-1 year 2 days -00:00:01'),
    (4, '5874897-12-31', NULL, NULL, '13:00+01', '294276-12-31 23:59:59.999999', '294276-12-31 00:00:00.000001', '720:00:00'),
    (5, '2024-02-29', '01:00', NULL, NULL, '2024-03-31 02:30', '2024-03-31 02:30+02', '1 day'),
    (6, NULL, NULL, NULL, NULL, '1970-01-01', '1970-01-01 00:00+00', '24:00:00');

CREATE TABLE public.nets (id integer PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO public.nets VALUES
    (1, '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
    (2, '10.0.0.1/24', '10.0.0.1/32', NULL, NULL), (3, '::1', '2001:db8::/32', NULL, NULL), (4, '::ffff:1.2.3.4/128', NULL, NULL, NULL);

CREATE TABLE public.shapes (id integer PRIMARY KEY, p point, l line, s lseg, b box, pa path, pg polygon, c circle);
INSERT INTO public.shapes VALUES
    (1, '(-0,0)', '{1,-1,0}', '[(0,0),(1,1)]', '((1,1),(0,0))', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),1>'),
    (2, '(NaN,Infinity)', NULL, NULL, NULL, '((0,0),(1,1))', NULL, '<(0.1,0.2),1e-300>');

CREATE TABLE public.ranges (
    id integer PRIMARY KEY, a int4range, b int8range, c numrange, d tsrange, e tstzrange, f daterange,
    ma int4multirange, mc nummultirange, mf datemultirange, s shop.span);
INSERT INTO public.ranges VALUES
    (1, 'empty', '[1,5)', '[1.0,1.50]', '[2024-01-01,2024-01-02)', '[2024-01-01 00:00+00,)', '(,infinity)',
     '{}', '{[1.0,2.0),(3,4]}', '{[2024-01-01,2024-01-05)}', '[-0,1.5)'),
    (2, '(,)', NULL, '(1,1.5)', '(-infinity,infinity)', NULL, NULL, '{[1,3),[5,7)}', NULL, NULL, '(,)');

CREATE TABLE public.systems (
    id integer PRIMARY KEY, l pg_lsn, x xid, x8 xid8, c cid, t tid, s pg_snapshot, ts txid_snapshot, ov oidvector,
    iv int2vector, rc regclass, rp regprocedure, ro regoperator, rt regtype, rn regnamespace, rr regrole, rcf regconfig,
    rd regdictionary, rcl regcollation, a aclitem, rf refcursor);
INSERT INTO public.systems VALUES
    (1, '16/B374D848', '123', '5000000000', '7', '(42,7)', '10:20:10,14,15', '10:20:10,14,15', '1 2 3', '1 2', 'pg_class',
     'sum(bigint)', '+(integer,integer)', 'shop.mood', 'shop', 'every_owner', 'simple', 'simple', '"C"',
     'every_reader=r/every_owner', 'a cursor'),
    (2, '0/0', NULL, NULL, NULL, NULL, NULL, NULL, '', '', NULL, NULL, NULL, 'shop.pair', NULL, NULL, NULL, NULL, NULL, NULL, '');

CREATE TABLE public.composed (
    id integer PRIMARY KEY, a integer[], b text[][], c shop.mood[], d shop.pair, e shop.pair[], f shop.positive, g shop.small,
    h shop.tags, i shop.mood, j json[], k point[], l numeric[], m shop.email, n hstore, o ltree, p int4range[], q float8[]);
INSERT INTO public.composed VALUES
    (1, '{1,2,3,4}', '{{a,NULL},{"",",\""}}', '{sad,""}', '(1,a)', ARRAY['(,)', '(2,"x y")']::shop.pair[], 5, 7, '{a,b}',
     'it''s ok', ARRAY['{"a":1}', '[]']::json[], ARRAY['(1,2)', '(-0,0)']::point[], '{1.5,1.50,NaN}', 'A@b.c', 'a=>1, b=>NULL',
     'top.middle', ARRAY['[1,2)', 'empty']::int4range[], '{-0,0,NaN}'),
    (2, '{{1,2},{3,4}}', '{}', NULL, NULL, '{}', NULL, NULL, NULL, '', NULL, NULL, '{1.50,1.5,NaN}', 'a@b.c', '', '', NULL, '{0,-0,NaN}'),
    (3, '[5:6]={1,2}', NULL, NULL, '(,)', NULL, 1, 1, '{}', 'sad', NULL, NULL, '{}', 'x@y.z', NULL, NULL, NULL, NULL);

DO $xml$ BEGIN
    CREATE TABLE public.xmls (id integer PRIMARY KEY, x xml);
    INSERT INTO public.xmls VALUES (1, '<?xml version="1.0" encoding="UTF-8"?><a b="c">ä</a>'), (2, 'just text'), (3, NULL), (4, '<a/>');
EXCEPTION WHEN feature_not_supported THEN
    CREATE TABLE public.xmls (id integer PRIMARY KEY, x xml);
END $xml$;

-- Tables of every shape
CREATE TABLE public."no columns" ();
INSERT INTO public."no columns" DEFAULT VALUES;
INSERT INTO public."no columns" DEFAULT VALUES;
CREATE TABLE "Übung ""x"" 表"."select" ("from" integer, "a ""quoted"" column" text, "空" text, "%s {0}" text);
INSERT INTO "Übung ""x"" 表"."select" VALUES (1, 'a', 'b', 'c'), (2, 'b', 'a', NULL);
CREATE UNLOGGED TABLE public.unlogged (id serial PRIMARY KEY, t text) WITH (fillfactor = 70, toast.autovacuum_enabled = off);
INSERT INTO public.unlogged (t) VALUES ('kept');
CREATE TABLE public.twins (a integer, b text);
INSERT INTO public.twins SELECT 1, 'the same row' FROM generate_series(1, 3);
INSERT INTO public.twins VALUES (1, NULL), (NULL, 'the same row'), (NULL, NULL);
CREATE TABLE public.dropped_column (a integer, b text, c text);
INSERT INTO public.dropped_column VALUES (1, 'gone', 'stays');
ALTER TABLE public.dropped_column DROP COLUMN b;
CREATE TABLE public.typed OF shop.pair (x PRIMARY KEY);
INSERT INTO public.typed VALUES (1, 'typed');
CREATE TABLE public.empty (id bigint);

CREATE TABLE shop.products (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5) PRIMARY KEY,
    sku text NOT NULL UNIQUE, price numeric(10, 2) NOT NULL DEFAULT 0.00 CONSTRAINT price_not_negative CHECK (price >= 0),
    gross numeric GENERATED ALWAYS AS (price * 1.19) STORED,
    mood shop.mood DEFAULT 'sad', body text COLLATE "C", made timestamptz DEFAULT now());
INSERT INTO shop.products (sku, price, body) SELECT 'sku-' || i, i, repeat('x', i) FROM generate_series(1, 20) i;
ALTER TABLE shop.products ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE shop.products OWNER TO every_owner;
ALTER TABLE shop.products ALTER COLUMN sku SET STATISTICS 500, ALTER COLUMN price SET (n_distinct = 5);
GRANT SELECT ON shop.products TO every_reader, PUBLIC;
GRANT SELECT (sku), UPDATE (price) ON shop.products TO "Every ""Writer""" WITH GRANT OPTION;
COMMENT ON TABLE shop.products IS E'comment with ''quotes'' and a \n newline';
COMMENT ON COLUMN shop.products.sku IS 'comment on a column';

CREATE TABLE shop.orders (
    id serial PRIMARY KEY, product bigint NOT NULL, quantity shop.positive, during tstzrange, ip inet, note text,
    CONSTRAINT orders_product_fkey FOREIGN KEY (product) REFERENCES shop.products ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT no_overlap EXCLUDE USING gist (product WITH =, during WITH &&),
    UNIQUE (id, product) INCLUDE (note));
INSERT INTO shop.orders (product, quantity, during, note)
    SELECT 100 + 5 * i, i, tstzrange('2024-01-01', '2024-01-02'), NULLIF('note ' || i, 'note 3') FROM generate_series(1, 9) i;
ALTER TABLE shop.orders ADD CONSTRAINT not_checked CHECK (quantity > 3) NOT VALID;
ALTER TABLE shop.orders ADD CONSTRAINT note_is_short CHECK (length(note) < 100) NO INHERIT;
CREATE INDEX orders_note_trgm ON shop.orders USING gin (note gin_trgm_ops);
CREATE INDEX orders_part ON shop.orders USING btree (lower(note) COLLATE "C" DESC NULLS LAST, id) WHERE quantity > 2;
CREATE INDEX orders_brin ON shop.orders USING brin (id) WITH (pages_per_range = 4);
CREATE INDEX orders_hash ON shop.orders USING hash (note);
CREATE INDEX products_stats ON shop.products ((price * 2));
ALTER INDEX shop.products_stats ALTER COLUMN 1 SET STATISTICS 400;
CLUSTER shop.orders USING orders_pkey;
ALTER TABLE shop.orders REPLICA IDENTITY FULL;
COMMENT ON INDEX shop.orders_part IS 'comment on an index';
COMMENT ON CONSTRAINT no_overlap ON shop.orders IS 'comment on a constraint';
CREATE STATISTICS shop.dependent (dependencies, ndistinct) ON product, quantity FROM shop.orders;
ALTER STATISTICS shop.dependent SET STATISTICS 300;

-- Partitions and inheritance
CREATE TABLE shop.events (id integer NOT NULL, at date NOT NULL, kind text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (id);
CREATE TABLE shop.events_2024_a PARTITION OF shop.events_2024 FOR VALUES IN (20, 21, 22);
CREATE TABLE shop.events_2024_rest (kind text, extra_gone integer, id integer NOT NULL, at date NOT NULL);
ALTER TABLE shop.events_2024_rest DROP COLUMN extra_gone;
ALTER TABLE shop.events_2024 ATTACH PARTITION shop.events_2024_rest DEFAULT;
CREATE TABLE shop.events_other PARTITION OF shop.events DEFAULT;
CREATE INDEX events_kind ON shop.events (kind);
INSERT INTO shop.events SELECT i, '2023-12-20'::date + i, CASE WHEN i % 3 = 0 THEN 'a' WHEN i % 3 = 1 THEN 'b' END FROM generate_series(1, 60) i;
CREATE TABLE shop.hashed (m shop.mood, v integer) PARTITION BY HASH (m);
CREATE TABLE shop.hashed_0 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.hashed_1 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shop.hashed VALUES ('sad', 1), ('it''s ok', 2), ('Glücklich', 3), ('', 4), ('sad', 5);
CREATE TABLE shop.refers (id integer, at date, FOREIGN KEY (id, at) REFERENCES shop.events);
INSERT INTO shop.refers SELECT id, at FROM shop.events WHERE id < 5;
CREATE TABLE shop.parent (id integer CHECK (id > 0), name text NOT NULL);
CREATE TABLE shop.other_parent (more text);
CREATE TABLE shop.child (own integer DEFAULT 7) INHERITS (shop.parent, shop.other_parent);
INSERT INTO shop.parent VALUES (1, 'parent');
INSERT INTO shop.child VALUES (2, 'child', 'm', 8), (2, 'child', 'm', 8);

-- Sequences
CREATE SEQUENCE shop.plain START 10 INCREMENT -3 MINVALUE -100 MAXVALUE 10 CYCLE CACHE 2;
SELECT nextval('shop.plain'), nextval('shop.plain');
CREATE SEQUENCE shop.untouched AS smallint;
CREATE SEQUENCE public.set_not_called;
SELECT setval('public.set_not_called', 42, false);
GRANT USAGE ON SEQUENCE shop.plain TO every_reader;
COMMENT ON SEQUENCE shop.plain IS 'comment on a sequence';

-- Views
CREATE VIEW shop.cheap WITH (security_barrier) AS
    SELECT p.id, p.sku, count(o.id) AS orders FROM shop.products p LEFT JOIN shop.orders o ON o.product = p.id
    WHERE p.price < 10 GROUP BY p.id, p.sku;
CREATE VIEW shop.updatable AS SELECT id, note FROM shop.orders WHERE note IS NOT NULL WITH LOCAL CHECK OPTION;
ALTER VIEW shop.updatable ALTER COLUMN note SET DEFAULT 'by view';
CREATE RECURSIVE VIEW public.counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < 5;
CREATE MATERIALIZED VIEW shop.summed AS SELECT mood, sum(price) AS total FROM shop.products GROUP BY mood;
CREATE UNIQUE INDEX summed_mood ON shop.summed (mood);
CREATE MATERIALIZED VIEW shop.unfilled AS SELECT 1 AS one WITH NO DATA;
GRANT SELECT ON shop.cheap TO every_reader;
COMMENT ON VIEW shop.cheap IS 'comment on a view';
COMMENT ON MATERIALIZED VIEW shop.summed IS 'comment on a materialised view';

-- Functions, procedures, aggregates, operators, casts
CREATE FUNCTION shop.tax(amount numeric, rate numeric DEFAULT 0.19) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'SELECT amount * rate';
CREATE FUNCTION shop.tax(amount integer) RETURNS integer LANGUAGE sql STABLE SET search_path = shop, pg_temp AS 'SELECT amount / 5';
CREATE FUNCTION shop.rows(OUT a integer, OUT b text) RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER ROWS 7 AS
    $body$ BEGIN RETURN QUERY SELECT 1, '$$ quoted'::text; END $body$;
CREATE FUNCTION shop.standard(a integer, b integer) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN a = -b;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION shop.more(VARIADIC a anyarray) RETURNS integer LANGUAGE sql AS 'SELECT cardinality(a)';
CREATE PROCEDURE shop.work(INOUT a integer) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$;
REVOKE EXECUTE ON FUNCTION shop.tax(integer) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE shop.work(integer) TO every_reader;
COMMENT ON FUNCTION shop.tax(integer) IS 'comment on a function';
CREATE AGGREGATE shop.total(numeric) (SFUNC = numeric_add, STYPE = numeric, INITCOND = '0', PARALLEL = SAFE);
CREATE OPERATOR shop.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = shop.standard, COMMUTATOR = OPERATOR(shop.===));
COMMENT ON OPERATOR shop.=== (integer, integer) IS 'comment on an operator';
CREATE FUNCTION shop.pair_text(shop.pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'a cast that says nothing' $$;
CREATE CAST (shop.pair AS text) WITH FUNCTION shop.pair_text(shop.pair) AS ASSIGNMENT;
CREATE OPERATOR FAMILY shop.own_family USING btree;
CREATE OPERATOR CLASS shop.own_class FOR TYPE integer USING btree FAMILY shop.own_family AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(integer, integer);
CREATE CONVERSION shop.conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

-- Triggers, rules, policies
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF note ON shop.orders FOR EACH ROW WHEN (NEW.note <> '') EXECUTE FUNCTION shop.touch('a', 'b');
CREATE TRIGGER disabled AFTER DELETE ON shop.orders FOR EACH STATEMENT EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.orders DISABLE TRIGGER disabled;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON shop.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TRIGGER of_partitions AFTER INSERT ON shop.events FOR EACH ROW EXECUTE FUNCTION shop.touch();
COMMENT ON TRIGGER touch ON shop.orders IS 'comment on a trigger';
CREATE EVENT TRIGGER watching ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION shop.watch();
CREATE RULE no_delete AS ON DELETE TO shop.parent DO INSTEAD NOTHING;
CREATE RULE loud AS ON UPDATE TO shop.parent DO ALSO NOTIFY changed;
ALTER TABLE shop.products ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.products FORCE ROW LEVEL SECURITY;
CREATE POLICY cheap_only ON shop.products AS PERMISSIVE FOR SELECT TO every_reader, "Every ""Writer""" USING (price < 10);
CREATE POLICY no_more ON shop.products AS RESTRICTIVE FOR INSERT WITH CHECK (price > 0);
COMMENT ON POLICY cheap_only ON shop.products IS 'comment on a policy';

-- Text search, foreign tables, publications, default rights, labels, large objects
CREATE TEXT SEARCH DICTIONARY shop.plain_words (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION shop.words ALTER MAPPING FOR asciiword WITH shop.plain_words, simple;
CREATE FOREIGN DATA WRAPPER own_wrapper OPTIONS (debug 'true');
CREATE SERVER elsewhere TYPE 't' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'it''s');
CREATE USER MAPPING FOR every_reader SERVER elsewhere OPTIONS (user 'u', password 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'p');
CREATE FOREIGN TABLE shop.far (id integer OPTIONS (column_name 'other'), t text NOT NULL) SERVER elsewhere OPTIONS (table_name 'near');
GRANT USAGE ON FOREIGN SERVER elsewhere TO every_reader;
COMMENT ON FOREIGN TABLE shop.far IS 'comment on a foreign table';
CREATE PUBLICATION a_few FOR TABLE shop.parent, shop.refers WITH (publish = 'insert, update');
CREATE PUBLICATION everything FOR ALL TABLES;
COMMENT ON PUBLICATION a_few IS 'comment on a publication';
ALTER DEFAULT PRIVILEGES FOR ROLE every_owner IN SCHEMA shop GRANT SELECT ON TABLES TO every_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE every_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;

SELECT lo_from_bytea(100001, '\x00010203'), lo_from_bytea(100002, ''), lo_from_bytea(100003, decode(repeat('ab00', 50000), 'hex'));
SELECT lo_create(100004), lo_put(100004, 200000, '\xff');
GRANT SELECT ON LARGE OBJECT 100001 TO every_reader;
ALTER LARGE OBJECT 100002 OWNER TO every_owner;
COMMENT ON LARGE OBJECT 100003 IS 'comment on a large object';

DO $newer$ BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        EXECUTE 'CREATE TABLE shop.nulls_equal (a integer, b text, UNIQUE NULLS NOT DISTINCT (a))';
        EXECUTE 'INSERT INTO shop.nulls_equal VALUES (1, ''x''), (NULL, ''y'')';
        EXECUTE 'CREATE PUBLICATION partly FOR TABLE shop.nulls_equal (a) WHERE (a > 1)';
        EXECUTE 'CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA "Übung ""x"" 表"';
        EXECUTE 'CREATE VIEW shop.as_invoker WITH (security_invoker) AS SELECT 1 AS one';
        EXECUTE 'GRANT SET ON PARAMETER work_mem TO every_reader';
    END IF;
    IF current_setting('server_version_num')::int >= 170000 THEN
        EXECUTE 'GRANT MAINTAIN ON shop.orders TO every_reader';
        EXECUTE 'CREATE TABLE shop.forever (iv interval)';
        EXECUTE 'INSERT INTO shop.forever VALUES (''infinity''), (''-infinity'')';
    END IF;
    IF current_setting('server_version_num')::int >= 180000 THEN
        EXECUTE 'CREATE TABLE shop.newest (a integer, twice integer GENERATED ALWAYS AS (a * 2) VIRTUAL, b integer)';
        EXECUTE 'INSERT INTO shop.newest (a, b) VALUES (1, NULL), (2, 3)';
        EXECUTE 'ALTER TABLE shop.newest ADD CONSTRAINT b_there NOT NULL b NOT VALID';
        EXECUTE 'ALTER TABLE shop.newest ADD CONSTRAINT unforced CHECK (a > 5) NOT ENFORCED';
        EXECUTE 'CREATE TABLE shop.temporal (id int4range, during tstzrange, PRIMARY KEY (id, during WITHOUT OVERLAPS))';
    END IF;
END $newer$;
